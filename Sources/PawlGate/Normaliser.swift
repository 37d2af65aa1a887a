internal import Foundation

/// A step that makes two texts comparable. Steps run in the order in which a suite names them, on the
/// response and on the target alike. Unicode's composed form (NFC) is taken before the first step.
public enum Normaliser: String, Codable, Sendable, CaseIterable {
    /// Takes white space and line feeds off both ends.
    case trim
    /// Lower case, independent of the locale.
    case lowercase
    /// Removes Unicode punctuation and the ASCII symbols `$ + < = > ^ | ~` and the grave accent.
    case stripPunctuation = "strip_punctuation"
    /// Turns every run of white space into one space.
    case collapseWhitespace = "collapse_whitespace"
    /// Keeps the first line that is not blank.
    case firstLine = "first_line"
    /// Removes the words a, an and the, in any case, with the white space behind them.
    case stripArticles = "strip_articles"

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Normaliser(rawValue: text) else {
            let all = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not one of \(all)")
        }
        self = value
    }

    static func apply(_ steps: [Normaliser], to text: String) -> String {
        steps.reduce(text.precomposedStringWithCanonicalMapping) { $1.apply(to: $0) }
    }

    private func apply(to text: String) -> String {
        let scalars = text.unicodeScalars
        switch self {
        case .trim: return text.trimmingCharacters(in: .whitespacesAndNewlines)
        case .lowercase: return text.lowercased()
        case .stripPunctuation:
            return String(String.UnicodeScalarView(scalars.filter { !Self.isPunctuation($0) }))
        case .collapseWhitespace:
            let words = scalars.split(whereSeparator: \.properties.isWhitespace).map { String($0) }
            let head = scalars.first?.properties.isWhitespace == true ? " " : ""
            let tail = !words.isEmpty && scalars.last?.properties.isWhitespace == true ? " " : ""
            return head + words.joined(separator: " ") + tail
        case .firstLine:
            return text.split(whereSeparator: \.isNewline).first { !$0.allSatisfy(\.isWhitespace) }
                .map(String.init) ?? ""
        case .stripArticles: return Self.withoutArticles(scalars)
        }
    }

    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation:
            true
        default: "$+<=>^`|~".unicodeScalars.contains(scalar)
        }
    }

    private static func withoutArticles(_ scalars: String.UnicodeScalarView) -> String {
        var out = String.UnicodeScalarView()
        var rest = scalars[...]
        while let first = rest.first {
            guard first.properties.isWordPart else {
                out.append(rest.removeFirst())
                continue
            }
            let word = rest.prefix { $0.properties.isWordPart }
            rest = rest.dropFirst(word.count)
            if ["a", "an", "the"].contains(String(word).lowercased()) {
                rest = rest.drop { $0.properties.isWhitespace }
            } else {
                out.append(contentsOf: word)
            }
        }
        return String(out)
    }
}

extension Unicode.Scalar.Properties {
    fileprivate var isWordPart: Bool { isAlphabetic || numericType != nil }
}

extension String {
    /// Whether another text occurs, compared scalar by scalar (a letter with its accent is not the bare letter).
    func hasRange(of other: String) -> Bool {
        let text = Array(utf8)
        let part = Array(other.utf8)
        guard part.count <= text.count else { return false }
        return (0...text.count - part.count).contains { text[$0...].starts(with: part) }
    }
}

/// The share of words that two texts have in common.
enum WordOverlap {
    /// Harmonic mean of precision and recall over the words (separated by white space) as multisets;
    /// 1 when both texts are empty, as in SQuAD's script.
    static func f1(_ answer: String, _ target: String) -> Double {
        let answerWords = words(answer)
        let targetWords = words(target)
        if answerWords.isEmpty || targetWords.isEmpty {
            return answerWords.isEmpty && targetWords.isEmpty ? 1 : 0
        }
        var left: [Substring: Int] = [:]
        for word in targetWords { left[word, default: 0] += 1 }
        var shared = 0
        for word in answerWords where left[word, default: 0] > 0 {
            left[word, default: 0] -= 1
            shared += 1
        }
        return 2 * Double(shared) / Double(answerWords.count + targetWords.count)
    }

    private static func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace) }
}
