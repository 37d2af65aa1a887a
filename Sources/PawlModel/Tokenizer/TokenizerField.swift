internal import PawlCore

/// A value inside tokenizer.json that knows where it stands, so that every refusal names file and field.
struct TokenizerField {
    /// What stands there.
    let value: JSONValue
    /// The path of the field ("pre_tokenizer.pretokenizers[1].behavior"); empty for the whole file.
    let path: String
    /// The file, for errors.
    let file: String

    /// The error of this field.
    func failure(_ reason: String, hint: String? = nil) -> PawlError {
        PawlError(.invalidArgument, "\(file), \(place): \(reason)", hint: hint)
    }

    /// The error of a field that asks for something Pawl does not do.
    func unsupported(_ reason: String, hint: String? = nil) -> PawlError {
        PawlError(.unsupported, "\(file), \(place): \(reason)", hint: hint)
    }

    private var place: String { path.isEmpty ? "the whole file" : "field \(path)" }

    /// A member of an object; nil when it is absent or null.
    func optional(_ name: String) -> TokenizerField? {
        guard let member = value[name], member != .null else { return nil }
        return TokenizerField(value: member, path: path.isEmpty ? name : "\(path).\(name)", file: file)
    }

    /// A member of an object that must be there.
    func required(_ name: String) throws -> TokenizerField {
        if let member = optional(name) { return member }
        throw TokenizerField(value: .null, path: path.isEmpty ? name : "\(path).\(name)", file: file)
            .failure("is missing")
    }

    func string() throws -> String {
        guard let string = value.string else { throw failure("must be a string") }
        return string
    }

    func bool() throws -> Bool {
        guard let bool = value.bool else { throw failure("must be true or false") }
        return bool
    }

    /// A count or an identifier: an integer of 0 or more that fits 32 bits.
    func natural() throws -> Int {
        guard case .int(let number) = value, number >= 0, number <= Int32.max else {
            throw failure("must be an integer from 0 to \(Int32.max)")
        }
        return Int(number)
    }

    func elements() throws -> [TokenizerField] {
        guard let elements = value.array else { throw failure("must be an array") }
        return elements.enumerated().map { index, element in
            TokenizerField(value: element, path: "\(path)[\(index)]", file: file)
        }
    }

    /// A truth value that may be absent.
    func flag(_ name: String, default absent: Bool) throws -> Bool {
        try optional(name)?.bool() ?? absent
    }

    /// The kind of a step: its member `type`.
    func type() throws -> String {
        guard value.object != nil else { throw failure("must be an object") }
        return try required("type").string()
    }

    /// Refuses members that Pawl does not know: they could change the result.
    func knowsOnly(_ names: Set<String>) throws {
        guard let members = value.object else { throw failure("must be an object") }
        if let unknown = members.keys.sorted().first(where: { !names.contains($0) }) {
            throw TokenizerField(
                value: .null, path: path.isEmpty ? unknown : "\(path).\(unknown)", file: file
            ).unsupported("Pawl does not know this field")
        }
    }
}
