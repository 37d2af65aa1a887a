internal import CKernels
internal import PawlCore

/// How likely the model finds continuations.
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
    public func score(_ requests: [Request], progress: ((Int) throws -> Void)? = nil) throws -> [Double] {
        var result = [Double](repeating: 0, count: requests.count)
        let byLength = requests.indices.sorted {
            (requests[$0].context.count + requests[$0].continuation.count, $0)
                < (requests[$1].context.count + requests[$1].continuation.count, $1)
        }
        var batch: [Int] = []
        var (size, done) = (0, 0)
        func flush() throws {
            for (index, score) in zip(batch, try score(together: batch.map { requests[$0] })) {
                result[index] = score
            }
            done += batch.count
            (batch, size) = ([], 0)
            try progress?(done)
        }
        for index in byLength {
            let length = requests[index].context.count + requests[index].continuation.count
            if !batch.isEmpty, size + length > tokensPerBatch { try flush() }
            batch.append(index)
            size += length
        }
        if !batch.isEmpty { try flush() }
        return result
    }

    private func score(together requests: [Request]) throws -> [Double] {
        // The last token predicts nothing that is asked for.
        let batch = SequenceBatch(requests.map { $0.context + $0.continuation.dropLast() })
        let hidden = try decoder.forward(batch)
        let d = decoder.configuration.hiddenSize
        let targets = requests.flatMap(\.continuation)
        let rows = FloatBuffer(targets.count * d)
        var row = 0
        for (index, request) in requests.enumerated() {
            let first = Int(batch.starts[index]) + request.context.count - 1
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

    /// log softmax(logits)[target] of hidden states [R, D], a few rows at a time.
    private func logLikelihoods(_ hidden: FloatBuffer, _ targets: [Int32]) throws -> [Float] {
        let (d, v) = (decoder.configuration.hiddenSize, decoder.configuration.vocabularySize)
        let chunk = 64
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
