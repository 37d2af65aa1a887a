internal import Foundation

/// How a user took a response, read from the first words of what they said next.
///
/// A short list of English phrases, no model: what it does not know is `other`, and `pawl harvest` leaves that out unless
/// it is asked not to.
public enum Reaction: String, Codable, Sendable, CaseIterable {
    /// The response was wrong, or not what was asked for.
    case correction
    /// The response was right.
    case confirmation
    /// Anything else: a new question, a remark.
    case other

    /// Reads a follow-up.
    public init(_ followup: String) {
        let text = " " + Self.plain(followup) + " "
        let start = String(text.dropFirst().prefix(60))
        if Self.declining.contains(where: { Self.begins(start, $0) }) {
            self = .other
        } else if Self.anywhere.contains(where: { text.contains(" \($0) ") }) {
            self = .correction
        } else if Self.rejecting.contains(where: { Self.begins(start, $0) }) {
            self = .correction
        } else if Self.confirming.contains(where: { Self.begins(start, $0) }) {
            // "Thanks, but ..." takes the thanks back.
            self = Self.reserving.contains(where: { text.contains(" \($0) ") }) ? .correction : .confirmation
        } else {
            self = .other
        }
    }

    /// Begins with "no" and rejects nothing.
    private static let declining = [
        "no problem", "no thanks", "no thank", "no worries", "no need", "no more", "no further", "no other",
        "no that is all",
        "no thats all", "no im good",
    ]
    private static let rejecting = [
        "no", "nope", "nah", "wrong", "incorrect", "not quite", "not what", "not correct", "not right",
        "not true",
        "that is wrong", "thats wrong", "that is not", "thats not", "that isnt", "this is wrong",
        "this is not", "this isnt",
        "its not", "it is not", "it isnt", "actually it", "actually its", "actually that", "actually thats",
        "actually the", "actually no", "i meant", "i said", "i asked", "i wanted",
        "you forgot", "you missed",
        "you got", "you misunderstood", "you didnt", "you did not", "it should", "that should", "should be",
        "too long",
        "too short", "shorter please", "try again", "still wrong", "still not", "please dont", "sorry but",
        "hmm no", "hm no",
        "are you sure", "check again",
    ]
    private static let confirming = [
        "thanks", "thank you", "thx", "ty", "cheers", "perfect", "great", "excellent", "awesome", "wonderful",
        "brilliant",
        "nice", "correct", "exactly", "that is right", "thats right", "that is correct", "thats correct",
        "thats it",
        "thats perfect", "thats great", "yes thats", "yes that is", "yes thanks", "yes thank you",
        "yes perfect", "it works",
        "it worked", "that works", "that worked", "works", "ok thanks", "okay thanks", "ok great",
        "very good", "well done",
        "good answer", "just what i needed", "ah thanks", "oh thanks", "much better", "better thanks",
    ]
    private static let anywhere = [
        "is wrong", "is incorrect", "isnt right", "isnt correct", "is not right", "is not correct",
        "made a mistake",
        "made an error", "should have been", "not what i asked", "not what i meant", "not what i wanted",
    ]
    private static let reserving = ["but", "however", "although", "except"]

    private static func begins(_ text: String, _ phrase: String) -> Bool { text.hasPrefix(phrase + " ") }

    /// Lower-case words with one space between them, without apostrophes and punctuation.
    private static func plain(_ text: String) -> String {
        text.lowercased().filter { !"'’`".contains($0) }
            .split { !$0.isLetter && !$0.isNumber }.joined(separator: " ")
    }
}
