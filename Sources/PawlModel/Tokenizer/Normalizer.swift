internal import PawlCore

/// What is done to text before it is split: the field `normalizer`.
struct Normalizer: Sendable {
    private enum Step: Sendable {
        case canonicalComposition
        case prepend([UInt8])
        case replace(TextPattern, by: [UInt8])
    }

    private let steps: [Step]

    /// True when text stays as it is.
    var isEmpty: Bool { steps.isEmpty }

    /// Reads the field, which may be absent.
    init(_ field: TokenizerField?) throws {
        steps = try field.map(Self.read) ?? []
    }

    private static func read(_ field: TokenizerField) throws -> [Step] {
        let kind = try field.type()
        switch kind {
        case "Sequence":
            try field.knowsOnly(["type", "normalizers"])
            return try field.required("normalizers").elements().flatMap(read)
        case "NFC":
            try field.knowsOnly(["type"])
            return [.canonicalComposition]
        case "Prepend":
            try field.knowsOnly(["type", "prepend"])
            return [.prepend(Array(try field.required("prepend").string().utf8))]
        case "Replace":
            try field.knowsOnly(["type", "pattern", "content"])
            let pattern = try TextPattern(try field.required("pattern"))
            return [.replace(pattern, by: Array(try field.required("content").string().utf8))]
        default: throw try field.required("type").unsupported("\"\(kind)\" is no normalizer that Pawl has")
        }
    }

    /// The normalized text, which must be valid UTF-8.
    func normalize(_ text: UnsafeBufferPointer<UInt8>, _ matcher: PatternMatcher) -> [UInt8] {
        var current = Array(text)
        for step in steps {
            switch step {
            case .canonicalComposition:
                if let composed = current.withUnsafeBufferPointer({ CanonicalComposition.compose($0) }) {
                    current = composed
                }
            case .prepend(let prefix):
                if !current.isEmpty { current.insert(contentsOf: prefix, at: 0) }
            case .replace(let pattern, by: let content):
                var replaced: [UInt8] = []
                replaced.reserveCapacity(current.count + current.count / 2)
                current.withUnsafeBufferPointer {
                    pattern.replace(in: $0, by: content, matcher, into: &replaced)
                }
                current = replaced
            }
        }
        return current
    }
}
