public import PawlCore
internal import PawlModel
public import PawlRegistry
internal import Synchronization

/// Answers requests with any checkpoint of a registry; those that come together go through a model together.
///
/// One thread runs all models, in turn: in each round some waiting sequences join one model, and every model takes a step.
/// It is a patient one, since arithmetic on all processors would else hold up every page.
public final class Serving: Sendable {
    /// The models that are held ready.
    public let shelf: ModelShelf
    /// How much may be asked at once.
    public let limits: ServingLimits
    private let state = Mutex(State())

    private struct State {
        var queue = FairQueue()
        var isRunning = false
        var status = ServingStatus()
    }

    /// Serves a registry's checkpoints.
    public init(_ registry: Registry, limits: ServingLimits = ServingLimits(), threads: Int = 0) throws {
        self.limits = limits
        shelf = try ModelShelf(registry, limits, threads: threads)
    }

    /// How much is going on.
    public var status: ServingStatus {
        let (models, bytes) = shelf.contents
        var status = state.withLock { state in
            var status = state.status
            status.waiting = state.queue.count
            return status
        }
        status.models = models.map(\.checkpoint)
        status.weightBytes = bytes
        return status
    }

    /// Starts to answer a request; events come until all choices have ended. Whoever stops listening ends it.
    ///
    /// Fails at once with `invalidArgument` for what the model cannot run, `overloaded` when too much waits already.
    public func answer(_ request: AnswerRequest, with model: ServedModel) throws -> AsyncThrowingStream<
        AnswerEvent, any Error
    > {
        let (events, continuation) = AsyncThrowingStream<AnswerEvent, any Error>.makeStream()
        let job = AnswerJob(model, request, continuation)
        try check(job)
        let starts = try state.withLock { state in
            guard state.queue.count + job.sequences.count <= limits.waiting else {
                state.status.refused += 1
                throw PawlError(
                    .overloaded, "\(state.queue.count) of at most \(limits.waiting) sequences wait already",
                    hint: "ask again in a while")
            }
            state.queue.append(job)
            state.status.requests += 1
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if starts { PatientThread.start("pawl.serving") { self.run() } }
        return events
    }

    private func check(_ job: AnswerJob) throws {
        guard !job.sequences.isEmpty else { throw PawlError(.invalidArgument, "there is no prompt") }
        guard job.sequences.count <= limits.waiting else {
            throw PawlError(
                .invalidArgument,
                "\(job.sequences.count) answers in one request; at most \(limits.waiting) are taken")
        }
        for sequence in job.sequences {
            try ContinuousBatch.check(sequence, job.model.decoder)
            let bytes = ContinuousBatch.cacheBytes(sequence, job.model.configuration)
            guard bytes <= limits.cacheBytes else {
                throw PawlError(
                    .invalidArgument,
                    "a prompt of \(sequence.tokens.count) tokens with an answer of up to \(sequence.limit) takes \(bytes / 1_000_000) MB, \(limits.cacheBytes / 1_000_000) MB are there",
                    hint: "ask for a shorter answer")
            }
        }
    }

    // MARK: The thread

    /// A model's batch while it has sequences.
    private typealias Batches = [Digest: ContinuousBatch]

    /// Works until there is nothing left to do.
    private func run() {
        var batches: Batches = [:]
        while true {
            join(&batches)
            for batch in batches.values { batch.step() }
            batches = batches.filter { $0.value.count > 0 }
            let isDone = state.withLock { state in
                state.isRunning = !batches.isEmpty || state.queue.count > 0
                return !state.isRunning
            }
            if isDone { return }
        }
    }

    /// Lets some of those that wait join.
    private func join(_ batches: inout Batches) {
        let (gone, next) = state.withLock { state in
            let gone = state.queue.removeGone()
            let free = limits.cacheBytes - state.status.cacheBytes
            let next = state.queue.next(
                room: { limits.width - (batches[$0.checkpoint]?.count ?? 0) },
                fits: { $0.reduce(0) { $0 + Self.bytes($1) } <= free },
                together: { model, lengths in
                    ContinuousBatch.together(lengths, model.decoder, room: lengths.count)
                })
            state.status.cacheBytes += next.reduce(0) { $0 + Self.bytes($1) }
            state.status.mostCacheBytes = max(state.status.mostCacheBytes, state.status.cacheBytes)
            state.status.running += next.count
            return (gone, next)
        }
        for (job, sequences) in gone { for _ in 0..<sequences { job.close(nil) } }
        guard let model = next.first?.job.model else { return }
        let new = next.map { entry in
            (request: entry.request, listener: listener(entry) as any ContinuousBatch.Listener)
        }
        do {
            let batch = try batches[model.checkpoint] ?? ContinuousBatch(model.decoder, width: limits.width)
            batches[model.checkpoint] = batch
            batch.join(new)
        } catch {
            for (_, listener) in new { listener.end(error) }
        }
    }

    private static func bytes(_ entry: FairQueue.Entry) -> Int {
        ContinuousBatch.cacheBytes(entry.request, entry.job.model.configuration)
    }

    private func listener(_ entry: FairQueue.Entry) -> AnswerListener {
        AnswerListener(entry.job, entry.choice) { tokens in
            self.state.withLock { state in
                state.status.running -= 1
                state.status.cacheBytes -= Self.bytes(entry)
                state.status.promptTokens += entry.request.tokens.count
                state.status.answerTokens += tokens
            }
        }
    }
}

/// How much a server is asked, and what that takes.
public struct ServingStatus: Sendable, Hashable {
    /// Sequences that wait, and those in the works.
    public var waiting = 0
    public var running = 0
    /// Memory of the keys and values of those in the works, in bytes, and the most that it has been.
    public var cacheBytes = 0
    public var mostCacheBytes = 0
    /// Models that are held ready, the latest asked for last.
    public var models: [Digest] = []
    /// Memory of their weights, equal ones counted once, in bytes.
    public var weightBytes = 0
    /// Requests that were taken since the start, and those refused because too much waited.
    public var requests = 0
    public var refused = 0
    /// Tokens of the prompts and of the answers of all sequences that have ended.
    public var promptTokens = 0
    public var answerTokens = 0
}
