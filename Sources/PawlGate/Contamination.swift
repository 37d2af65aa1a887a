internal import Foundation
internal import PawlCore

/// A demonstration that shows what a suite asks.
public struct Overlap: Codable, Sendable, Hashable {
    /// How the two agree.
    public enum Kind: String, Codable, Sendable {
        /// They ask the same, but for case, punctuation and white space.
        case sameQuestion = "same_question"
        /// They share so many words in a row.
        case sharedWords = "shared_words"
    }

    /// Name of the demonstration.
    public let demonstration: String
    /// Name of the suite.
    public let suite: String
    /// Name of its item.
    public let item: String
    /// How they agree.
    public let kind: Kind
    /// The words they share, in lower case.
    public let text: String
}

/// Finds demonstrations that give a suite's items away: a score on items that were trained on says nothing.
public struct Contamination: Sendable {
    /// Words in a row that count as copied (Brown et al. 2020, "Language Models are Few-Shot Learners", appendix C,
    /// where 13 is the usual length).
    public static let sharedWords = 13

    private let suite: String
    private let items: [String]
    /// What is asked, and the items that ask it.
    private let questions: [String: Int]
    /// Runs of words that one item alone has; what several items share is the suite's form, not its content.
    private let runs: [ArraySlice<Substring>: Int]

    /// Prepares a suite for comparison.
    public init(_ suite: Suite) {
        self.suite = suite.name
        // A sealed item is given away like any other.
        let all = suite.items + suite.sealedItems
        items = all.map(\.id)
        var questions: [String: Int] = [:]
        var runs: [ArraySlice<Substring>: Int?] = [:]
        for (index, item) in all.enumerated() {
            let question = Self.words(item.input.messages.last?.content ?? "")
            questions[question.joined(separator: " ")] = index
            let answer = item.answer.map { [item.choices[$0]] } ?? item.targets
            let whole = question + answer.flatMap(Self.words)
            for run in Set(Self.runs(of: whole)) {
                // Seen in a second item: nobody's.
                runs[run] = runs[run] == nil ? .some(index) : .some(nil)
            }
        }
        self.questions = questions
        self.runs = runs.compactMapValues { $0 }
    }

    /// The first way in which each demonstration overlaps with the suite.
    public func overlaps(with demonstrations: [Demonstration]) -> [Overlap] {
        demonstrations.compactMap { demonstration in
            let question = Self.words(demonstration.messages.last?.content ?? "")
            let asked = question.joined(separator: " ")
            if !asked.isEmpty, let index = questions[asked] {
                return overlap(demonstration, index, .sameQuestion, asked)
            }
            let whole = question + Self.words(demonstration.completion)
            for run in Self.runs(of: whole) {
                if let index = runs[run] {
                    return overlap(demonstration, index, .sharedWords, run.joined(separator: " "))
                }
            }
            return nil
        }
    }

    private func overlap(
        _ demonstration: Demonstration, _ index: Int, _ kind: Overlap.Kind, _ text: String
    ) -> Overlap {
        Overlap(
            demonstration: demonstration.id, suite: suite, item: items[index], kind: kind, text: text)
    }

    private static func runs(of words: [Substring]) -> [ArraySlice<Substring>] {
        guard words.count >= sharedWords else { return [] }
        return (0...words.count - sharedWords).map { words[$0..<$0 + sharedWords] }
    }

    /// Letters and digits in lower case after compatibility composition, split at everything else.
    private static func words(_ text: String) -> [Substring] {
        text.precomposedStringWithCompatibilityMapping.lowercased().split { character in
            !character.unicodeScalars.contains {
                $0.properties.isAlphabetic || $0.properties.numericType != nil
            }
        }
    }
}
