internal import CKernels
internal import PawlCore

/// Sequences that go through a decoder together, and come and go between its steps.
///
/// A sequence's answer depends on its own prompt, settings and name alone, to the last bit: prompts go through the model one
/// by one, or few enough tokens together that no row's result depends on another's, and so do steps. A greedy answer is that
/// of a ``Generator`` of width 1. For one thread at a time.
public final class ContinuousBatch {
    /// A prompt to continue.
    public struct Request: Sendable, Hashable {
        /// At least one token.
        public var tokens: [Int32]
        /// Names the sequence's random numbers.
        public var name: String
        public var sampling: Sampling
        /// Longest answer, in tokens; 0: the prompt is only scored.
        public var limit: Int
        /// Of how many likeliest tokens each drawn token tells the log-probability, beside its own; nil: none, nor its own.
        public var topCount: Int?
        /// Whether the prompt's own tokens are scored, with as many likeliest ones.
        public var scoresPrompt: Bool

        public init(
            tokens: [Int32], name: String, sampling: Sampling, limit: Int, topCount: Int? = nil,
            scoresPrompt: Bool = false
        ) {
            self.tokens = tokens
            self.name = name
            self.sampling = sampling
            self.limit = limit
            self.topCount = topCount
            self.scoresPrompt = scoresPrompt
        }
    }

    /// Who waits for a sequence. All calls come from the thread that runs the batch.
    public protocol Listener: AnyObject {
        /// Whether nobody wants the sequence any more; it leaves before the next step.
        var isGone: Bool { get }
        /// The prompt's tokens with their scores, where they were asked for.
        func take(prompt: [ScoredToken])
        /// The next token; false ends the answer with it.
        func take(_ token: ScoredToken) -> Bool
        /// The sequence has left: `take` ended it, it reached its limit, nobody wanted it, or this went wrong.
        func end(_ failure: (any Error)?)
    }

    /// A sequence in the works.
    private struct Slot {
        let request: Request
        let listener: any Listener
        /// Nil where the answer has one token at most, so that no step follows.
        let cache: KeyValueCache?
        var random: NamedRandom
        var last: Int32 = 0
        var count = 0
    }

    /// The model that answers.
    public let decoder: Transformer
    /// The most sequences that a step takes.
    public let width: Int
    private var slots: [Slot] = []
    private let scratch: StepScratch
    /// [width, V], and the rows of it that are looked at in another way.
    private let logits, gathered: FloatBuffer

    /// Room for `width` sequences; fails when the decoder could not keep so many apart.
    public init(_ decoder: Transformer, width: Int) throws {
        guard (1...max(decoder.independentRows, 1)).contains(width), decoder.independentRows > 0 else {
            throw PawlError(
                .invalidArgument,
                "a batch of \(width) sequences: this decoder keeps up to \(decoder.independentRows) apart")
        }
        self.decoder = decoder
        self.width = width
        scratch = StepScratch(decoder.configuration, sequences: width)
        logits = FloatBuffer(width * decoder.configuration.vocabularySize)
        gathered = FloatBuffer(width * decoder.configuration.vocabularySize)
    }

    /// Sequences in the works.
    public var count: Int { slots.count }

    /// Memory that a sequence's keys and values take, in bytes.
    public static func cacheBytes(_ request: Request, _ configuration: ModelConfiguration) -> Int {
        KeyValueCache.bytes(configuration, capacity: capacity(request))
    }

    private static func capacity(_ request: Request) -> Int {
        request.limit > 1 ? request.tokens.count + request.limit : 0
    }

    /// How many of the first prompts, by their lengths in tokens, go through the model together: those that have few tokens
    /// together, or one.
    public func together(_ prompts: [Int]) -> Int {
        Self.together(prompts, decoder, room: width - slots.count)
    }

    /// The same where so many sequences may join.
    public static func together(_ prompts: [Int], _ decoder: Transformer, room: Int) -> Int {
        var (count, tokens) = (0, 0)
        for prompt in prompts.prefix(room) {
            tokens += prompt
            if count > 0, tokens > decoder.independentRows { break }
            count += 1
        }
        return count
    }

    /// Refuses what the model cannot run.
    public static func check(_ request: Request, _ decoder: Transformer) throws {
        try request.sampling.check()
        guard !request.tokens.isEmpty else { throw PawlError(.invalidArgument, "the prompt has no tokens") }
        guard request.limit >= 0 else {
            throw PawlError(.invalidArgument, "an answer of \(request.limit) tokens")
        }
        let v = decoder.configuration.vocabularySize
        if let token = request.tokens.first(where: { !(0..<v).contains(Int($0)) }) {
            throw PawlError(.invalidArgument, "token \(token) lies outside the model's vocabulary of \(v)")
        }
        // The last token of an answer is not run.
        try decoder.checkPositions(request.tokens.count + max(0, request.limit - 1))
    }

    /// Runs prompts through the model, draws the first token of each, and lets the sequences join. At most as many as
    /// ``together(_:)`` says; what is wrong with a prompt goes to its listener.
    public func join(_ new: [(request: Request, listener: any Listener)]) {
        precondition(
            new.count <= together(new.map(\.request.tokens.count)),
            "\(new.count) sequences join \(slots.count) of \(width) at once")
        let usable = new.filter { request, listener in
            do {
                try Self.check(request, decoder)
                return true
            } catch {
                listener.end(error)
                return false
            }
        }
        guard !usable.isEmpty else { return }
        let first = slots.count
        slots += usable.map { request, listener in
            let capacity = Self.capacity(request)
            let cache = capacity > 0 ? KeyValueCache(decoder.configuration, capacity: capacity) : nil
            return Slot(
                request: request, listener: listener, cache: cache, random: NamedRandom(request.name))
        }
        attempt(first..<slots.count) { try fill($0) }
    }

    /// One token more for each sequence.
    public func step() {
        leave { slots[$0].listener.isGone }
        guard !slots.isEmpty else { return }
        attempt(0..<slots.count) { rows in
            let caches = slots.compactMap(\.cache)
            guard caches.count == slots.count else {
                throw PawlError(.internalError, "a sequence without room for a step is still there")
            }
            let hidden = try decoder.step(slots.map(\.last), caches, prefix: nil, scratch)
            try draw(hidden, rows)
        }
    }

    /// Ends every sequence.
    public func end(_ failure: any Error) {
        for slot in slots { slot.listener.end(failure) }
        slots = []
    }

    /// Does something with sequences; when it fails they leave with the failure, and the others stay.
    private func attempt(_ rows: Range<Int>, _ work: (Range<Int>) throws -> Void) {
        do {
            try work(rows)
        } catch {
            for slot in slots[rows] { slot.listener.end(error) }
            slots.removeSubrange(rows)
        }
    }

    private func leave(where isOver: (Int) -> Bool) {
        let over = slots.indices.filter(isOver)
        let listeners = over.map { slots[$0].listener }
        for row in over.reversed() { slots.remove(at: row) }
        for listener in listeners { listener.end(nil) }
    }

    /// Runs the prompts of `rows`, the last slots.
    private func fill(_ rows: Range<Int>) throws {
        let prompts = slots[rows].map(\.request.tokens)
        let (hidden, batch) = try decoder.run(prompts, slots[rows].map(\.cache), prefix: nil)
        let d = decoder.configuration.hiddenSize
        let last = FloatBuffer(rows.count * d)
        for (index, row) in rows.enumerated() {
            let request = slots[row].request
            let begin = hidden.pointer + Int(batch.starts[index]) * d
            (last.pointer + index * d).update(from: begin + (request.tokens.count - 1) * d, count: d)
            guard request.scoresPrompt else { continue }
            slots[row].listener.take(
                prompt: try decoder.scores(of: request.tokens, begin, top: request.topCount ?? 0))
        }
        try draw(last, rows)
    }

    /// The next token of each of the last slots, `rows`, from their hidden states; those that are over leave.
    private func draw(_ hidden: FloatBuffer, _ rows: Range<Int>) throws {
        let drawing = rows.filter { slots[$0].request.limit > 0 }
        var isOver = Set(rows).subtracting(drawing)
        if !drawing.isEmpty {
            try decoder.logits(hidden.pointer, rows: rows.count, into: logits.pointer)
            let tokens = try choose(drawing, first: rows.lowerBound)
            for (row, token) in tokens {
                slots[row].last = token.token
                slots[row].count += 1
                let goesOn = slots[row].listener.take(token)
                if !goesOn || slots[row].count >= slots[row].request.limit { isOver.insert(row) }
            }
        }
        leave { isOver.contains($0) }
    }

    /// A token for each of some slots, from the logits of all from `first` on.
    private func choose(_ rows: [Int], first: Int) throws -> [(Int, ScoredToken)] {
        let v = decoder.configuration.vocabularySize
        var chosen: [Int: Int32] = [:]
        for (sampling, group) in Dictionary(grouping: rows, by: { slots[$0].request.sampling }) {
            gather(group, first: first)
            var randoms = group.map { slots[$0].random }
            let choices = try sampling.choose(gathered, v, &randoms, decoder.pool)
            for (row, (random, choice)) in zip(group, zip(randoms, choices)) {
                slots[row].random = random
                chosen[row] = choice.token
            }
        }
        var scored: [Int: ScoredToken] = [:]
        let asked = rows.filter { slots[$0].request.topCount != nil }
        for (top, group) in Dictionary(grouping: asked, by: { slots[$0].request.topCount ?? 0 }) {
            gather(group, first: first)
            let tokens = group.compactMap { chosen[$0] }
            let scores = try ScoredToken.score(tokens, gathered.pointer, v, top: top, decoder.pool)
            for (row, score) in zip(group, scores) { scored[row] = score }
        }
        return rows.compactMap { row in
            chosen[row].map { token in
                (row, scored[row] ?? ScoredToken(token: token, logProbability: nil, top: []))
            }
        }
    }

    /// Copies rows of logits side by side.
    private func gather(_ rows: [Int], first: Int) {
        let v = decoder.configuration.vocabularySize
        for (place, row) in rows.enumerated() {
            (gathered.pointer + place * v).update(from: logits.pointer + (row - first) * v, count: v)
        }
    }
}
