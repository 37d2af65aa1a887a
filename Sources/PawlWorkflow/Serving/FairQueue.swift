internal import PawlModel

/// Jobs whose sequences wait to join, taken in turn, so that a request of many prompts holds up nobody.
struct FairQueue {
    private var waiting: [(job: AnswerJob, next: Int)] = []

    /// Sequences that wait.
    private(set) var count = 0

    /// A sequence of a job.
    struct Entry {
        let job: AnswerJob
        let choice: Int
        var request: ContinuousBatch.Request { job.sequences[choice] }
    }

    mutating func append(_ job: AnswerJob) {
        waiting.append((job, 0))
        count += job.sequences.count
    }

    /// Takes out jobs for which nobody waits, with how many sequences of each were still here.
    mutating func removeGone() -> [(job: AnswerJob, sequences: Int)] {
        let gone = waiting.filter(\.job.isGone).map { ($0.job, $0.job.sequences.count - $0.next) }
        waiting.removeAll { $0.job.isGone }
        count -= gone.reduce(0) { $0 + $1.1 }
        return gone
    }

    /// What joins next: sequences of one model, in turn over its jobs.
    ///
    /// - Parameters:
    ///   - room: sequences that may join a model's batch.
    ///   - fits: whether a sequence has memory beside those chosen before. The first that has none holds up all behind
    ///     it, or large ones would wait for ever.
    ///   - together: how many of the first of such prompts (lengths in tokens) go through the model together.
    mutating func next(
        room: (ServedModel) -> Int, fits: ([Entry]) -> Bool, together: (ServedModel, [Int]) -> Int
    ) -> [Entry] {
        guard let first = waiting.firstIndex(where: { room($0.job.model) > 0 }) else { return [] }
        let model = waiting[first].job.model
        var chosen: [Entry] = []
        while let place = waiting.firstIndex(where: { $0.job.model === model }) {
            let entry = Entry(job: waiting[place].job, choice: waiting[place].next)
            let all = chosen + [entry]
            guard all.count <= room(model), fits(all),
                together(model, all.map(\.request.tokens.count)) == all.count
            else { break }
            chosen = all
            advance(place)
        }
        return chosen
    }

    /// One sequence of a job has left; the job goes to the end.
    private mutating func advance(_ place: Int) {
        var entry = waiting.remove(at: place)
        entry.next += 1
        count -= 1
        if entry.next < entry.job.sequences.count { waiting.append(entry) }
    }
}
