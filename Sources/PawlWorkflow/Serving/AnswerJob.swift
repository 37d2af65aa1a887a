internal import PawlModel
internal import Synchronization

/// A request on its way: its sequences, and who waits for them.
final class AnswerJob: Sendable {
    let model: ServedModel
    let request: AnswerRequest
    let sequences: [ContinuousBatch.Request]
    private let continuation: AsyncThrowingStream<AnswerEvent, any Error>.Continuation
    private let gone = Atomic(false)
    private let open: Mutex<Int>

    /// - Parameter continuation: of the stream that whoever waits reads. The job does not hold the stream itself, so that one
    ///   that nobody reads any more ends.
    init(
        _ model: ServedModel, _ request: AnswerRequest,
        _ continuation: AsyncThrowingStream<AnswerEvent, any Error>.Continuation
    ) {
        self.model = model
        self.request = request
        sequences = request.sequences
        open = Mutex(sequences.count)
        self.continuation = continuation
        continuation.onTermination = { [weak self] _ in self?.gone.store(true, ordering: .relaxed) }
    }

    /// Whether nobody waits any more, or a sequence failed.
    var isGone: Bool { gone.load(ordering: .relaxed) }

    func give(_ event: AnswerEvent) { continuation.yield(event) }

    /// One sequence is over; the last, or a failure, ends the job.
    func close(_ failure: (any Error)?) {
        let isLast = open.withLock {
            $0 -= 1
            return $0 == 0
        }
        if let failure { continuation.finish(throwing: failure) } else if isLast { continuation.finish() }
    }
}

/// One sequence of a job, as the batch sees it.
final class AnswerListener: ContinuousBatch.Listener {
    let job: AnswerJob
    let choice: Int
    private var text: AnswerText
    private var tokens = 0
    private let onEnd: (Int) -> Void

    /// - Parameter onEnd: called when the sequence has left, with the number of tokens that it drew.
    init(_ job: AnswerJob, _ choice: Int, onEnd: @escaping (Int) -> Void) {
        self.job = job
        self.choice = choice
        self.onEnd = onEnd
        let chat = job.model.chat
        text = AnswerText(
            chat.tokenizer, ends: chat.endTokens + job.request.stopTokens, stops: job.request.stops)
    }

    var isGone: Bool { job.isGone }

    func take(prompt: [ScoredToken]) { job.give(.prompt(choice: choice, prompt)) }

    func take(_ token: ScoredToken) -> Bool {
        tokens += 1
        let part = text.append(token)
        if !part.text.isEmpty || !part.tokens.isEmpty { job.give(.part(choice: choice, part)) }
        return !text.isEnded
    }

    func end(_ failure: (any Error)?) {
        // Before anybody hears of the end: what was taken is free by then.
        onEnd(tokens)
        if failure == nil, !job.isGone {
            let rest = text.finish()
            job.give(.end(choice: choice, rest, text.isEnded ? .stop : .length, tokens: tokens))
        }
        job.close(failure)
    }
}
