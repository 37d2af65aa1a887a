internal import PawlCore

/// The tokens of the model, by their spelling and by their id.
struct Vocabulary: Sendable {
    /// The highest id that a file may use; more would only be a damaged number.
    static let largestID = (1 << 24) - 1

    private let tokens: ByteTable
    /// Entry in `tokens` of each id, or -1 for an id that no token has.
    private let entryOfID: [Int32]

    /// Number of tokens.
    var count: Int { tokens.count }
    /// One more than the highest id.
    var endOfIDs: Int { entryOfID.count }

    /// Reads `model.vocab`: an object of spellings and ids, each only once.
    init(_ source: TokenizerSource) throws {
        let place = try source.settings.required("model").required("vocab")
        guard let range = source.vocabulary else { throw place.failure("must be an object") }
        tokens = try Self.read(source.bytes[range], place)
        guard tokens.count > 0 else { throw place.failure("holds no token") }
        let highest = (0..<tokens.count).reduce(0) { [tokens] in max($0, Int(tokens.value($1))) }
        var entryOfID = [Int32](repeating: -1, count: highest + 1)
        for entry in 0..<tokens.count {
            let id = Int(tokens.value(entry))
            guard entryOfID[id] < 0 else {
                let other = quoted(tokens.key(Int(entryOfID[id])))
                throw place.failure("\(other) and \(quoted(tokens.key(entry))) have the same id \(id)")
            }
            entryOfID[id] = Int32(entry)
        }
        self.entryOfID = entryOfID
    }

    private static func read(_ text: ArraySlice<UInt8>, _ place: TokenizerField) throws -> ByteTable {
        var tokens = ByteTable(minimumCapacity: text.count / 16)
        var name: [UInt8] = []
        var fault: String?
        text.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(bytes: buffer)
            do {
                try scanner.elements(from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) {
                    scanner throws(JSONScanner.Failure) in
                    name.removeAll(keepingCapacity: true)
                    try scanner.string(into: &name)
                    try scanner.expect(UInt8(ascii: ":"))
                    let id = try scanner.natural()
                    guard fault == nil else { return }
                    if id > largestID {
                        fault = "the id of \(quoted(name)), \(id), is out of range"
                    } else if !name.withUnsafeBufferPointer({ tokens.insert($0, Int32(id)) }) {
                        fault = "\(quoted(name)) stands twice"
                    }
                }
            } catch {
                let shape = "must be an object of tokens and their ids, whole numbers from 0"
                fault = fault ?? "\(shape); the mistake is near \(quoted(name))"
            }
        }
        if let fault { throw place.failure(fault) }
        return tokens
    }

    /// The id of a spelling.
    func id(_ spelling: UnsafeBufferPointer<UInt8>) -> Int32? { tokens.find(spelling) }

    /// The id of a spelling.
    func id(_ spelling: some Collection<UInt8>) -> Int32? { tokens.find(Array(spelling)) }

    /// The spelling of an id; nil when no token has it.
    func spelling(_ id: Int32) -> ArraySlice<UInt8>? {
        guard id >= 0, id < entryOfID.count, entryOfID[Int(id)] >= 0 else { return nil }
        return tokens.key(Int(entryOfID[Int(id)]))
    }

    /// The tokens that spell bytes, by those bytes: what a word of a byte-level model is looked up in.
    func byteLevelWords() -> ByteTable {
        var words = ByteTable(minimumCapacity: tokens.count)
        for entry in 0..<tokens.count {
            guard let bytes = ByteAlphabet.bytes(of: tokens.key(entry)) else { continue }
            // The map is one to one, so that bytes can come only once.
            _ = bytes.withUnsafeBufferPointer { words.insert($0, tokens.value(entry)) }
        }
        return words
    }
}

/// A spelling for an error message: quoted, its control characters made visible, at most 40 scalars.
func quoted(_ bytes: some Collection<UInt8>) -> String {
    let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
    let shown = scalars.prefix(40).map { $0.value < 0x20 ? $0.escaped(asASCII: true) : String($0) }
    return "\"\(shown.joined())\(scalars.count > 40 ? "…" : "")\""
}
