internal import CKernels
internal import PawlCore

/// How likely the model finds continuations: by length, many together; a context that several have is run once.
public struct Scorer {
    /// A text and what may follow it.
    public struct Request: Sendable {
        /// At least one token.
        public let context: [Int32]
        /// At least one token.
        public let continuation: [Int32]

        public init(context: [Int32], continuation: [Int32]) {
            self.context = context
            self.continuation = continuation
        }
    }

    public let decoder: Transformer
    /// Tokens that go through the model together, about.
    public let tokensPerBatch: Int

    public init(_ decoder: Transformer, tokensPerBatch: Int = 2048) {
        self.decoder = decoder
        self.tokensPerBatch = tokensPerBatch
    }

    /// The summed log-likelihood of each continuation, in nats.
    ///
    /// - Parameter progress: called with the number of requests that are done.
    public func score(_ requests: [Request], progress: ((Int) throws -> Void)? = nil) throws -> [Double] {
        try refuseUnusable(requests)
        var result = [Double](repeating: 0, count: requests.count)
        var done = 0
        for batch in batches(requests) {
            for (index, score) in zip(batch.indices, try score(batch, requests)) { result[index] = score }
            done += batch.indices.count
            try progress?(done)
        }
        return result
    }

    private func refuseUnusable(_ requests: [Request]) throws {
        for (index, request) in requests.enumerated() {
            guard !request.context.isEmpty, !request.continuation.isEmpty else {
                let part = request.context.isEmpty ? "context" : "continuation"
                throw PawlError(
                    .invalidArgument, "request \(index + 1) of \(requests.count): its \(part) has no tokens")
            }
            try decoder.checkPositions(request.context.count + request.continuation.count - 1)
        }
    }

    /// Requests that go through the model together.
    private struct Batch {
        var indices: [Int]
        /// What all their contexts are, when that is run once for all.
        var context: [Int32]?
    }

    /// Requests of one context together where running it once pays, the others by length.
    private func batches(_ requests: [Request]) -> [Batch] {
        var result: [Batch] = []
        var single: [Int] = []
        let groups = Dictionary(grouping: requests.indices, by: { requests[$0].context })
        for (context, indices) in groups.sorted(by: { $0.value[0] < $1.value[0] }) {
            if (indices.count - 1) * (context.count - 1) >= Self.worthSharing {
                result.append(Batch(indices: indices, context: context))
            } else {
                single += indices
            }
        }
        func length(_ index: Int) -> Int {
            requests[index].context.count + requests[index].continuation.count
        }
        var size = Int.max
        for index in single.sorted(by: { (length($0), $0) < (length($1), $1) }) {
            if size > tokensPerBatch - length(index) {
                result.append(Batch(indices: [], context: nil))
                size = 0
            }
            result[result.count - 1].indices.append(index)
            size += length(index)
        }
        return result
    }

    /// The arithmetic of scoring requests, contexts that are run once counted once.
    public func work(_ requests: [Request]) -> FloatingPointWork {
        let c = decoder.configuration
        return batches(requests).reduce(into: FloatingPointWork()) { work, batch in
            let shared = (batch.context?.count ?? 1) - 1
            work += .layers(c, tokens: shared)
            for index in batch.indices {
                let (context, continuation) = (requests[index].context, requests[index].continuation)
                work += .layers(c, tokens: context.count + continuation.count - 1 - shared, after: shared)
                work += .logits(c, rows: continuation.count)
            }
        }
    }

    /// Tokens that must be saved for a second, smaller run of the model to pay.
    private static let worthSharing = 64

    private func score(_ batch: Batch, _ requests: [Request]) throws -> [Double] {
        let requests = batch.indices.map { requests[$0] }
        // The last token of a continuation predicts nothing that is asked for; the last of the context predicts the first.
        let shared = (batch.context?.count ?? 1) - 1
        let prefix = try batch.context.map { try decoder.prefix($0.dropLast()) }
        let sequences = SequenceBatch(
            requests.map { $0.context.dropFirst(shared) + $0.continuation.dropLast() })
        let hidden = try decoder.forward(sequences, prefix: prefix)
        let d = decoder.configuration.hiddenSize
        let targets = requests.flatMap(\.continuation)
        let rows = FloatBuffer(targets.count * d)
        var row = 0
        for (index, request) in requests.enumerated() {
            let first = Int(sequences.starts[index]) + request.context.count - shared - 1
            (rows.pointer + row * d).update(
                from: hidden.pointer + first * d, count: request.continuation.count * d)
            row += request.continuation.count
        }
        let likelihoods = try logLikelihoods(rows, targets)
        row = 0
        return requests.map { request in
            defer { row += request.continuation.count }
            return likelihoods[row..<row + request.continuation.count].reduce(0) { $0 + Double($1) }
        }
    }

    /// log softmax(logits)[target] of hidden states [R, D], so many rows at a time that their logits take 64 MB.
    private func logLikelihoods(_ hidden: FloatBuffer, _ targets: [Int32]) throws -> [Float] {
        let (d, v) = (decoder.configuration.hiddenSize, decoder.configuration.vocabularySize)
        let chunk = max(16, (1 << 24) / v)
        let logits = FloatBuffer(min(chunk, targets.count) * v)
        var result = [Float](repeating: 0, count: targets.count)
        for start in stride(from: 0, to: targets.count, by: chunk) {
            let part = Array(targets[start..<min(start + chunk, targets.count)])
            try decoder.logits(hidden.pointer + start * d, rows: part.count, into: logits.pointer)
            try result.withUnsafeMutableBufferPointer { result in
                try check(
                    pawl_log_likelihood(
                        decoder.pool.handle, result.baseAddress.map { $0 + start }, logits.pointer, part,
                        part.count, v),
                    "log-likelihood")
            }
        }
        return result
    }
}
