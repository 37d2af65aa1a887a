public import PawlCore

/// The documents that the registry writes: canonical JSON objects with a `type` and a `format` number.
enum RecordDocument: String {
    case journalEntry = "journal_entry"
    case checkpoint, skill, suite, evaluation

    /// Number of these formats.
    static let format = 1

    func bytes(_ content: some Encodable) throws -> [UInt8] {
        guard case .object(var members) = try JSONValue(encoding: content) else {
            throw PawlError(.internalError, "a \(rawValue) document must be an object")
        }
        members["type"] = .string(rawValue)
        members["format"] = .int(Int64(Self.format))
        return try JSON.canonical(JSONValue.object(members))
    }

    func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8], name: Digest) throws -> T {
        let source = "document \(name.short)"
        do {
            let value = try JSON.parse(bytes, source: source)
            guard value["type"]?.string == rawValue else {
                throw PawlError(.corrupt, "\(source) is not a \(rawValue) document")
            }
            guard value["format"]?.int == Self.format else {
                throw PawlError(
                    .unsupported,
                    "\(source) is a \(rawValue) of a newer format; this is Pawl \(PawlVersion.current)",
                    hint: "use a newer Pawl")
            }
            return try JSON.decode(type, from: bytes, source: source)
        } catch let error as PawlError where error.code == .invalidArgument {
            throw PawlError(.corrupt, error.message)
        }
    }
}

extension JSONValue {
    /// A value as JSON.
    init(encoding value: some Encodable) throws {
        self = try JSON.parse(JSON.canonical(value), source: "\(type(of: value))")
    }
}

/// A journal entry as its document holds it: without its name, which is the digest of these bytes.
struct EntryDocument: Codable {
    var sequence: Int
    var previous: Digest?
    var time: Timestamp
    var actor: String
    var kind: JournalEntry.Kind
    var checkpoint: Digest?
    var skill: String?
    var suite: Digest?
    var verdict: Digest?
    var reason: String?
    var body: JSONValue

    func entry(named digest: Digest) -> JournalEntry {
        JournalEntry(
            sequence: sequence, digest: digest, previous: previous, time: time, actor: actor, kind: kind,
            checkpoint: checkpoint, skill: skill, suite: suite, verdict: verdict, reason: reason, body: body)
    }
}

extension JournalEntry {
    /// Reads an entry from its document.
    init(document bytes: [UInt8], name: Digest) throws {
        self = try RecordDocument.journalEntry.decode(EntryDocument.self, from: bytes, name: name).entry(
            named: name)
    }

    /// The documents that the entry rests on.
    public var documents: [Digest] {
        (body["documents"]?.array ?? []).compactMap { $0.string.flatMap { Digest(hex: $0) } }
    }
}
