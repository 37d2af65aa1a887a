internal import PawlCore

/// What a log of conversations gives to learn from: demonstrations with follow-ups, a suite of choices, and an account of
/// what was left out and why.
public struct Harvest: Sendable {
    /// What may be used, and how it is divided.
    public struct Options: Sendable {
        /// Names of members from the outermost to the consent flag of a conversation.
        public var consent = ["consent"]
        /// Why lines without the flag may be used; nil when they may not.
        public var assumedConsent: String?
        /// Also follow-ups that neither correct nor confirm.
        public var keepsOther = false
        /// Share of the corrections with a known right response that the suite gets, 0...1.
        public var held = 0.3
        /// Longest exchange, in characters of all its texts.
        public var longest = 4000

        /// The defaults.
        public init() {}
    }

    /// How much was kept, and why not the rest. No text of the log is in it.
    public struct Report: Codable, Sendable, Hashable {
        /// Something that was left out.
        public struct LeftOut: Codable, Sendable, Hashable {
            /// Why.
            public var reason: String
            /// Whether whole conversations (lines) or single responses are counted.
            public var unit: String
            /// How many.
            public var count: Int
        }
        /// Secrets of one kind.
        public struct Secrets: Codable, Sendable, Hashable {
            /// The kind.
            public var kind: SecretFilter.Kind
            /// How many were found in what was consented to.
            public var count: Int
        }

        /// Lines of the log that are not blank.
        public var conversations = 0
        /// Responses that a user turn follows, in conversations that may be used.
        public var exchanges = 0
        /// Demonstrations made.
        public var demonstrations = 0
        /// Of them with a correction, a confirmation.
        public var corrections = 0
        public var confirmations = 0
        /// Of them with a known right response other than the one given: what the probe judges by.
        public var judged = 0
        /// Items of the suite.
        public var items = 0
        /// What was left out, by reason.
        public var leftOut: [LeftOut] = []
        /// What was found and masked or left out, by kind.
        public var secrets: [Secrets] = []

        private enum CodingKeys: String, CodingKey {
            case conversations, exchanges, demonstrations, corrections, confirmations, judged, items, secrets
            case leftOut = "left_out"
        }
    }

    /// A question with the response that the user rejected and the one that they took instead.
    public struct Item: Codable, Sendable, Hashable {
        public let id: String
        public let messages: [Message]
        public let choices: [String]
        public let answer: Int
    }

    /// Records for the teacher context `hindsight`.
    public private(set) var demonstrations: [Demonstration] = []
    /// Items for the grader `multiple_choice`.
    public private(set) var items: [Item] = []
    /// The account.
    public private(set) var report = Report()

    private var leftOut: [String: Report.LeftOut] = [:]
    private var secrets: [SecretFilter.Kind: Int] = [:]

    /// Reads a log (JSONL). A line that cannot be used is counted, never an error.
    public init(_ log: [UInt8], options: Options = Options()) throws {
        var found: [Candidate] = []
        var seen: Set<Digest> = []
        for line in JSON.lines(log) {
            report.conversations += 1
            do {
                let conversation = try LoggedConversation(
                    line, consent: options.consent, isAssumed: options.assumedConsent != nil)
                let exchanges = conversation.exchanges
                guard !exchanges.isEmpty else { throw LoggedConversation.Problem.nothingFollows }
                report.exchanges += exchanges.count
                for exchange in exchanges {
                    if let candidate = try candidate(exchange, of: conversation.line, options) {
                        let isNew = seen.insert(try candidate.content).inserted
                        if isNew { found.append(candidate) } else { leave("duplicate") }
                    }
                }
            } catch let problem as LoggedConversation.Problem {
                leave(problem.rawValue, unit: "conversation")
            }
        }
        try divide(found, share: options.held)
        finish()
    }

    private mutating func leave(_ reason: String, unit: String = "exchange", _ count: Int = 1) {
        leftOut[reason, default: Report.LeftOut(reason: reason, unit: unit, count: 0)].count += count
    }

    /// An exchange as it may be used, or nil with the reason counted.
    ///
    /// Secrets in what the model reads are masked. In what it could learn to say (the response, the follow-up that the
    /// teacher answers by, the right response) they end the exchange: a model must not learn to say a mask either.
    private mutating func candidate(
        _ exchange: LoggedConversation.Exchange, of line: Int, _ options: Options
    ) throws -> Candidate? {
        guard options.keepsOther || exchange.reaction != .other else {
            leave("no_reaction")
            return nil
        }
        let said =
            [exchange.response, exchange.followup]
            + [exchange.right].compactMap(\.self).filter { $0 != exchange.response }
        let length = (exchange.prompt.map(\.content) + said).reduce(0) { $0 + $1.count }
        guard length <= options.longest else {
            leave("too_long")
            return nil
        }
        let filter = SecretFilter()
        let inSaid = said.flatMap { filter.masked($0).found }
        var prompt = exchange.prompt
        for index in prompt.indices {
            let masked = filter.masked(prompt[index].content)
            prompt[index].content = masked.text
            count(masked.found)
        }
        count(inSaid)
        guard inSaid.isEmpty else {
            leave("secret_in_response")
            return nil
        }
        return Candidate(
            record: Demonstration(
                id: "line-\(line)-turn-\(exchange.turn)", messages: prompt, completion: exchange.response,
                followup: exchange.followup, targets: exchange.right.map { [$0] } ?? []),
            reaction: exchange.reaction)
    }

    private mutating func count(_ kinds: [SecretFilter.Kind]) {
        for kind in kinds { secrets[kind, default: 0] += 1 }
    }

    /// Gives a share of the judged corrections to the suite, by question, and everything else that does not ask what the
    /// suite asks to the demonstrations.
    private mutating func divide(_ found: [Candidate], share: Double) throws {
        let judged = found.filter(\.isJudged)
        // By the digest of the question: the same questions fall on the same side in a larger log too.
        let limit = UInt64(share * Double(UInt32.max))
        let held = Set(judged.map(\.question).filter { Candidate.number($0) < limit })
        var contents: Set<Digest> = []
        for candidate in judged where held.contains(candidate.question) {
            let item = candidate.item
            // Two users may have corrected the same answer in other words.
            guard
                try contents.insert(
                    Digest(of: JSON.canonical([item.choices] + [item.messages.map(\.content)]))
                ).inserted
            else {
                leave("duplicate")
                continue
            }
            items.append(item)
        }
        let free = found.filter { !held.contains($0.question) }
        leave("asked_by_the_suite", found.count - free.count - judged.count { held.contains($0.question) })
        demonstrations = free.map(\.record)
        report.corrections = free.count { $0.reaction == .correction }
        report.confirmations = free.count { $0.reaction == .confirmation }
        report.judged = free.count(where: \.isJudged)
    }

    /// Takes demonstrations away that another check found to overlap with the suite.
    public mutating func remove(_ overlaps: [Overlap]) {
        let names = Set(overlaps.map(\.demonstration))
        for record in demonstrations where names.contains(record.id) {
            switch Reaction(record.followup ?? "") {
            case .correction: report.corrections -= 1
            case .confirmation: report.confirmations -= 1
            case .other: break
            }
            if let right = record.targets.first, right != record.completion { report.judged -= 1 }
        }
        demonstrations.removeAll { names.contains($0.id) }
        leave("asked_by_the_suite", names.count)
        finish()
    }

    private mutating func finish() {
        report.demonstrations = demonstrations.count
        report.items = items.count
        report.leftOut = leftOut.values.filter { $0.count > 0 }.sorted { $0.reason < $1.reason }
        report.secrets = secrets.sorted { $0.key < $1.key }.map { .init(kind: $0.key, count: $0.value) }
    }
}

/// An exchange that may be used, before it is known for what.
private struct Candidate {
    let record: Demonstration
    let reaction: Reaction

    /// Whether the user took another response instead of this one.
    var isJudged: Bool { record.targets.first.map { $0 != record.completion } ?? false }

    /// What is asked, without case and white space.
    var question: String {
        (record.messages.last?.content ?? "").lowercased().split(whereSeparator: \.isWhitespace).joined(
            separator: " ")
    }

    /// Names what is the same exchange, wherever it stands in the log.
    var content: Digest {
        get throws {
            var record = record
            record.id = ""
            return Digest(of: try JSON.canonical(record))
        }
    }

    /// The choice between the two responses, the right one first or second by the question's digest.
    var item: Harvest.Item {
        let right = record.targets.first ?? ""
        let isFirst = Self.number("order \(question)") % 2 == 0
        return Harvest.Item(
            id: record.id, messages: record.messages,
            choices: isFirst ? [right, record.completion] : [record.completion, right],
            answer: isFirst ? 0 : 1)
    }

    /// 32 bits of a text's digest.
    static func number(_ text: String) -> UInt64 {
        Digest(of: text).bytes.prefix(4).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
