internal import PawlCore

/// Continues prompts, many at a time.
///
/// A finished sequence leaves at once and a waiting prompt takes its place. What a sequence draws depends on its own name
/// alone, so neither its neighbours nor a resumed run change it.
public struct Generator {
    /// A prompt to continue.
    public struct Request: Sendable {
        /// Tokens after the shared prefix; at least one.
        public let tokens: [Int32]
        /// Names the sequence's random numbers: usually "seed/step/item".
        public let name: String

        public init(tokens: [Int32], name: String) {
            self.tokens = tokens
            self.name = name
        }
    }

    /// A continuation.
    public struct Answer: Sendable {
        /// The tokens, the one that ended it included.
        public var tokens: [Int32] = []
        /// Sum over tokens of log softmax(logits / temperature); 0 when greedy.
        public var logLikelihood = 0.0
    }

    public let decoder: Transformer
    public let sampling: Sampling
    /// Longest answer, in tokens.
    public let limit: Int
    /// Sequences computed together.
    public let width: Int
    /// What all prompts follow.
    public let prefix: Prefix?

    public init(_ decoder: Transformer, _ sampling: Sampling, limit: Int, width: Int, prefix: Prefix? = nil) {
        self.decoder = decoder
        self.sampling = sampling
        self.limit = limit
        self.width = width
        self.prefix = prefix
    }

    /// A sequence in the works.
    private struct Slot {
        let index: Int
        let cache: KeyValueCache
        var random: NamedRandom
        var answer = Answer()
    }

    /// Continues every request until `isFinished` (index of the request, its answer's tokens) says so or the limit is
    /// reached; answers in the order of the requests.
    ///
    /// Fails before any work when a prompt is empty or does not fit with its answer, or the sampling means nothing.
    public func generate(
        _ requests: [Request], isFinished: (Int, [Int32]) throws -> Bool,
        progress: ((Int) throws -> Void)? = nil
    ) throws -> [Answer] {
        try refuseUnusable(requests)
        guard limit > 0 else { return requests.map { _ in Answer() } }
        var answers = [Answer](repeating: Answer(), count: requests.count)
        var waiting = requests.indices
        var slots: [Slot] = []
        var done = 0
        let scratch = StepScratch(decoder.configuration, sequences: width)
        let logits = FloatBuffer(width * decoder.configuration.vocabularySize)

        func advance(_ hidden: FloatBuffer, _ rows: Range<Int>) throws {
            try draw(hidden, &slots, rows, logits)
            var kept: [Slot] = []
            for (row, slot) in slots.enumerated() {
                let isFull = slot.answer.tokens.count >= limit
                guard rows.contains(row), try isFull || isFinished(slot.index, slot.answer.tokens) else {
                    kept.append(slot)
                    continue
                }
                answers[slot.index] = slot.answer
                done += 1
                try progress?(done)
            }
            slots = kept
        }

        while true {
            let new = next(waiting, requests, room: width - slots.count)
            waiting = new.upperBound..<waiting.upperBound
            if !new.isEmpty {
                let first = slots.count
                slots += new.map { slot($0, requests[$0]) }
                let prompts = new.map { requests[$0].tokens }
                let hidden = try decoder.fill(slots[first...].map(\.cache), prompts, prefix: prefix)
                try advance(hidden, first..<slots.count)
                continue
            }
            guard !slots.isEmpty else { return answers }
            let tokens = slots.map { $0.answer.tokens[$0.answer.tokens.count - 1] }
            let hidden = try decoder.step(tokens, slots.map(\.cache), prefix: prefix, scratch)
            try advance(hidden, 0..<slots.count)
        }
    }

    /// The first of the waiting requests that go through the model together: as many as there is room for, and no more
    /// tokens than a batch should have.
    private func next(_ waiting: Range<Int>, _ requests: [Request], room: Int) -> Range<Int> {
        var tokens = 0
        let end = waiting.prefix(room).firstIndex {
            tokens += requests[$0].tokens.count
            return $0 > waiting.lowerBound && tokens > Self.tokensPerBatch
        }
        return waiting.lowerBound..<(end ?? waiting.prefix(room).endIndex)
    }

    /// Tokens of prompts that are run together, about.
    private static let tokensPerBatch = 2048

    private func refuseUnusable(_ requests: [Request]) throws {
        try sampling.check()
        guard width > 0 else { throw PawlError(.invalidArgument, "a batch of \(width) sequences") }
        for (index, request) in requests.enumerated() {
            guard !request.tokens.isEmpty else {
                throw PawlError(.invalidArgument, "prompt \(index + 1) of \(requests.count) has no tokens")
            }
            // The last token of an answer is not run.
            try decoder.checkPositions((prefix?.length ?? 0) + request.tokens.count + max(0, limit - 1))
        }
    }

    private func slot(_ index: Int, _ request: Request) -> Slot {
        let cache = KeyValueCache(decoder.configuration, capacity: request.tokens.count + limit)
        return Slot(index: index, cache: cache, random: NamedRandom(request.name))
    }

    /// The next token of each slot in `rows` from hidden states that begin with the first of them.
    private func draw(_ hidden: FloatBuffer, _ slots: inout [Slot], _ rows: Range<Int>, _ logits: FloatBuffer)
        throws
    {
        let v = decoder.configuration.vocabularySize
        try decoder.logits(hidden.pointer, rows: rows.count, into: logits.pointer)
        var randoms = rows.map { slots[$0].random }
        let choices = try sampling.choose(logits, v, &randoms, decoder.pool)
        for (row, (random, choice)) in zip(rows, zip(randoms, choices)) {
            slots[row].random = random
            slots[row].answer.tokens.append(choice.token)
            slots[row].answer.logLikelihood += choice.logLikelihood
        }
    }
}
