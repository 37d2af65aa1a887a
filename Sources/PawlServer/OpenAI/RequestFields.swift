internal import PawlCore

/// The members of a request's JSON body. A member that is null is not there; errors name the member.
struct RequestFields {
    private let members: [String: JSONValue]

    init(_ body: [UInt8]) throws {
        guard case .object(let members) = try JSON.parse(body, source: "the request") else {
            throw OpenAIError(400, "the request must be a JSON object")
        }
        self.members = members
    }

    subscript(_ name: String) -> JSONValue? { members[name].flatMap { $0 == .null ? nil : $0 } }

    func string(_ name: String) throws -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else { throw OpenAIError.invalid(name, "must be a string") }
        return text
    }

    func requiredString(_ name: String) throws -> String {
        guard let text = try string(name) else {
            throw OpenAIError.invalid(name, "is missing", code: "missing_required_parameter")
        }
        return text
    }

    func flag(_ name: String) throws -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.bool else { throw OpenAIError.invalid(name, "must be true or false") }
        return flag
    }

    func integer(_ name: String, in range: ClosedRange<Int> = Int.min...Int.max) throws -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = value.int else { throw OpenAIError.invalid(name, "must be an integer") }
        guard range.contains(number) else {
            let most = range.upperBound == Int.max ? " or more" : " to \(range.upperBound)"
            throw OpenAIError.invalid(name, "\(number) is not \(range.lowerBound)\(most)")
        }
        return number
    }

    func number(_ name: String) throws -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.double else { throw OpenAIError.invalid(name, "must be a number") }
        return number
    }

    /// A list of token ids; nil when the member is no list of numbers.
    static func tokens(_ value: JSONValue, _ name: String) throws -> [Int32]? {
        guard let elements = value.array, elements.first?.double != nil else { return nil }
        return try elements.map { element in
            guard let token = element.int.flatMap(Int32.init(exactly:)) else {
                throw OpenAIError.invalid(name, "a token must be an integer of 32 bits")
            }
            return token
        }
    }

    /// Refuses members that ask for what cannot be done, unless they ask for nothing.
    func refuse(_ names: [String], unless isNothing: (JSONValue) -> Bool) throws {
        for name in names {
            if let value = self[name], !isNothing(value) {
                throw OpenAIError.invalid(
                    name, "is not supported; leave it out", code: "unsupported_parameter")
            }
        }
    }
}
