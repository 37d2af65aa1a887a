internal import Foundation
internal import PawlCore

/// Reads the files that people write, with what `JSON` leaves to its caller: line numbers of records, whole files.
enum StrictJSON {
    /// Decodes JSONL; every value comes with its line number.
    static func decodeLines<T: Decodable>(
        _ type: T.Type, from bytes: [UInt8], source: String
    ) throws -> [(line: Int, value: T)] {
        try JSON.lines(bytes).map { line in
            (line.number, try JSON.decode(type, from: line.bytes, source: source, line: line.number))
        }
    }

    /// Reads and decodes a file.
    static func load<T: Decodable>(_ type: T.Type, at url: URL) throws -> (value: T, bytes: [UInt8]) {
        let bytes = try Files.read(url)
        return (try JSON.decode(type, from: bytes, source: url.path), bytes)
    }

    /// The error for a mistake that only shows when several records are seen together.
    static func error(
        _ source: String, line: Int, field: String, _ reason: String, hint: String? = nil
    ) -> PawlError {
        PawlError(.invalidArgument, "\(source), line \(line), field \(field): \(reason)", hint: hint)
    }
}

/// Any member name of a JSON object, or any index of an array.
struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int?
    init(_ text: String) { stringValue = text }
    init(_ index: Int) { (stringValue, intValue) = ("Index \(index)", index) }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { self.init(intValue) }
}

extension Decoder {
    /// Refuses a member that the format does not have, with the nearest that it has: a misspelt optional
    /// key would otherwise be dropped in silence and its default used.
    func refuseUnknownKeys<K: CodingKey & CaseIterable>(_ keys: K.Type) throws {
        let known = K.allCases.map(\.stringValue)
        let present = try container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
        guard let unknown = present.first(where: { !known.contains($0) }) else { return }
        let nearest = known.min { unknown.editDistance(to: $0) < unknown.editDistance(to: $1) }
        let suggestion = nearest.map { "; did you mean \"\($0)\"?" } ?? ""
        throw failure(AnyKey(unknown), "unknown key \"\(unknown)\"\(suggestion)")
    }

    /// A decoding error at a member of the object that is being decoded.
    func failure(_ key: some CodingKey, _ reason: String) -> DecodingError {
        .dataCorrupted(.init(codingPath: codingPath + [key], debugDescription: reason))
    }

    /// Checks the name of a skill, a suite or a set.
    func checkName(_ name: String, _ key: some CodingKey) throws {
        try check(key) { try Name.check(name, "name") }
    }

    /// Checks a version.
    func checkVersion(_ version: String, _ key: some CodingKey) throws {
        try check(key) { try Name.checkVersion(version, "version") }
    }

    /// Runs a check of PawlCore and puts its complaint at a member of the object being decoded.
    private func check(_ key: some CodingKey, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as PawlError {
            throw failure(key, [error.message, error.hint].compactMap(\.self).joined(separator: "; "))
        }
    }

    /// Checks the name of a file in the folder of the manifest: relative, and not out of the folder.
    func checkFile(_ name: String, _ key: some CodingKey) throws {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !name.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw failure(key, "\"\(name)\" is not the name of a file in this folder")
        }
    }
}

extension KeyedDecodingContainer {
    /// An integer. Foundation throws an error of its own at a number with a fraction, which `JSONDecoder`
    /// then turns into one about the whole text.
    func integerIfPresent(_ key: Key) throws -> Int? {
        do {
            return try decodeIfPresent(Int.self, forKey: key)
        } catch let error as DecodingError {
            throw error
        } catch {
            throw DecodingError.dataCorrupted(
                .init(codingPath: codingPath + [key], debugDescription: "must be an integer"))
        }
    }
}

extension String {
    /// Levenshtein's distance: single letters inserted, removed or replaced.
    func editDistance(to other: String) -> Int {
        let a = Array(unicodeScalars)
        let b = Array(other.unicodeScalars)
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = Swift.min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
