internal import CKernels
internal import PawlCore

/// A token of a prompt or an answer, with how likely the model found it where it stands.
public struct ScoredToken: Sendable, Hashable {
    /// A token that might have stood there.
    public struct Candidate: Sendable, Hashable {
        public let token: Int32
        /// log softmax(logits), in nats.
        public let logProbability: Float

        public init(token: Int32, logProbability: Float) {
            self.token = token
            self.logProbability = logProbability
        }
    }

    public let token: Int32
    /// log softmax(logits) of the token, in nats, whatever it was drawn with; nil for the first of a prompt, which nothing
    /// predicts, and where it was not asked for.
    public let logProbability: Float?
    /// The likeliest tokens at its place, in falling order. Where the token is one of them, its number is the very same.
    public let top: [Candidate]

    public init(token: Int32, logProbability: Float?, top: [Candidate]) {
        self.token = token
        self.logProbability = logProbability
        self.top = top
    }
}

extension ScoredToken {
    /// Scores a token for each of R rows of logits [R, V], which become log-probabilities.
    ///
    /// - Parameter top: how many of the likeliest tokens each row gives.
    static func score(
        _ tokens: some Collection<Int32>, _ logits: UnsafeMutablePointer<Float>, _ vocabulary: Int, top: Int,
        _ pool: ComputePool
    ) throws -> [ScoredToken] {
        let (rows, v) = (tokens.count, vocabulary)
        pawl_log_softmax(pool.handle, logits, logits, rows, v, 1)
        let count = min(top, v)
        var indices = [Int32](repeating: 0, count: rows * count)
        var values = [Float](repeating: 0, count: rows * count)
        if count > 0 {
            try check(pawl_top_k(pool.handle, &indices, &values, logits, rows, v, count), "top-k")
        }
        return try tokens.enumerated().map { row, token in
            guard (0..<v).contains(Int(token)) else {
                throw PawlError(
                    .invalidArgument, "token \(token) lies outside the model's vocabulary of \(v)")
            }
            let places = row * count..<(row + 1) * count
            return ScoredToken(
                token: token, logProbability: logits[row * v + Int(token)],
                top: places.map { Candidate(token: indices[$0], logProbability: values[$0]) })
        }
    }
}

extension Transformer {
    /// The tokens of a sequence with how likely each was after those before it, from its hidden states [T, D]; so many rows
    /// at a time that their logits take 64 MB.
    func scores(of tokens: [Int32], _ hidden: UnsafePointer<Float>, top: Int) throws -> [ScoredToken] {
        let (d, v) = (configuration.hiddenSize, configuration.vocabularySize)
        let targets = tokens.dropFirst()
        var result = tokens.prefix(1).map { ScoredToken(token: $0, logProbability: nil, top: []) }
        let chunk = max(16, (1 << 24) / v)
        let logits = FloatBuffer(min(chunk, targets.count) * v)
        for start in stride(from: 0, to: targets.count, by: chunk) {
            let part = targets.dropFirst(start).prefix(chunk)
            try self.logits(hidden + start * d, rows: part.count, into: logits.pointer)
            result += try ScoredToken.score(part, logits.pointer, v, top: top, pool)
        }
        return result
    }
}
