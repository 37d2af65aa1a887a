internal import CKernels
internal import Foundation
internal import PawlCore
internal import PawlModel

/// Greedy continuations, log-likelihoods, logits of a long text, and what bf16 costs, against transformers.
struct ReferenceComparison {
    /// What tools/fixtures/base_model wrote.
    private struct Reference: Decodable {
        var generations: [Generation]
        var scores: [Score]
        var windows: [Window]
        let long: [Long]
    }

    private struct Generation: Decodable {
        let prompt: [Int32]
        let tokens: [Int32]
        /// By how much each token's logit was above the next.
        let lead: [Double]
    }

    private struct Score: Decodable {
        let context: [Int32]
        let continuation: [Int32]
        /// Summed log-likelihood, nats.
        let score: Double
    }

    /// A text, and the likeliest token after each of its places.
    private struct Window: Decodable {
        let tokens: [Int32]
        let fp32: [Int32]
        let bf16: [Int32]
    }

    private struct Long: Decodable {
        let tokens: [Int32]
        let places: [Place]
    }

    /// The largest logits at a place.
    private struct Place: Decodable {
        let place: Int
        let tokens: [Int32]
        let logits: [Double]
    }

    private let directory: URL
    private let model: LoadedModel
    private let reference: Reference
    private let isWhole: Bool

    /// - Parameter share: 1 for all that was recorded, N for every N-th of each kind and no long text.
    init(_ directory: URL, _ file: URL, share: Int) throws {
        self.directory = directory
        model = try LoadedModel(directory)
        var reference = try JSON.decode(Reference.self, from: Files.read(file), source: file.path)
        func every<T>(_ items: [T]) -> [T] { stride(from: 0, to: items.count, by: share).map { items[$0] } }
        reference.generations = every(reference.generations)
        reference.scores = every(reference.scores)
        reference.windows = every(reference.windows)
        self.reference = reference
        isWhole = share == 1
    }

    /// - Returns: whether every claim holds.
    func run() throws -> Bool {
        var all = [{ try greedy(.f32) }, { try greedy(.bf16Decoding) }, scores, rounded]
        if isWhole { all += [long, written] }
        return try Finding.report(all)
    }

    /// The same tokens, but for ties: where two logits lie closer than rounding, either may win.
    private func greedy(_ precision: Precision) throws -> [Finding] {
        let longest = reference.generations.map { $0.prompt.count + $0.tokens.count }.max() ?? 0
        let limit = reference.generations.map(\.tokens.count).max() ?? 0
        let generator = Generator(
            model.decoder(positions: longest, precision), .greedy, limit: limit, width: 50)
        let answers = try generator.generate(
            reference.generations.map { .init(tokens: $0.prompt, name: "") }, isFinished: { _, _ in false })
        var equal = 0
        var ties: [Double] = []
        for (answer, expected) in zip(answers, reference.generations) {
            let place = zip(answer.tokens, expected.tokens).enumerated().first { $1.0 != $1.1 }?.offset
            if let place { ties.append(expected.lead[place]) } else { equal += 1 }
        }
        let other = ties.map { "another token where the lead was \(short($0))" }.joined(separator: ", ")
        return [
            Finding(
                claim: "greedy, \(precision.rawValue), \(limit) tokens after each prompt",
                figure: "\(equal) of \(answers.count) the same" + (other.isEmpty ? "" : "; " + other),
                isHeld: !answers.isEmpty && ties.allSatisfy { $0 < 1e-4 })
        ]
    }

    private func scores() throws -> [Finding] {
        let longest = reference.scores.map { $0.context.count + $0.continuation.count }.max() ?? 0
        let scores = try Scorer(model.decoder(positions: longest)).score(
            reference.scores.map { .init(context: $0.context, continuation: $0.continuation) })
        let errors = zip(scores, reference.scores).map { abs($0 - $1.score) / abs($1.score) }
        return [
            Finding(
                claim: "log-likelihoods of \(scores.count) continuations, worst relative difference",
                figure: "\(short(errors.max() ?? 0)) (at most 1e-3)",
                isHeld: !errors.isEmpty && errors.allSatisfy { $0 < 1e-3 })
        ]
    }

    /// How often the likeliest token stays the same when products are rounded.
    private func rounded() throws -> [Finding] {
        let (exact, rounded) = (try likeliest(.f32), try likeliest(.bf16))
        let (theirs, theirRounded) = (reference.windows.flatMap(\.fp32), reference.windows.flatMap(\.bf16))
        func agreement(_ a: [Int32], _ b: [Int32]) -> Double {
            100 * Double(zip(a, b).count { $0 == $1 }) / Double(max(a.count, 1))
        }
        func percent(_ value: Double) -> String { String(format: "%.2f%%", value) }
        let (ours, peer) = (agreement(exact, rounded), agreement(theirs, theirRounded))
        let same = agreement(exact, theirs)
        return [
            Finding(
                claim: "the likeliest token at \(exact.count) places, fp32 and transformers' fp32",
                figure: percent(same) + " the same (at least 99.9%)", isHeld: same >= 99.9),
            Finding(
                claim: "the same places, bf16 and fp32",
                figure: "\(percent(ours)) the same, transformers \(percent(peer)) (at most 0.3 points below)",
                isHeld: ours >= peer - 0.3),
        ]
    }

    /// The likeliest token after every place of the windows.
    private func likeliest(_ precision: Precision) throws -> [Int32] {
        let decoder = model.decoder(
            positions: reference.windows.map(\.tokens.count).max() ?? 0, precision)
        let (d, v) = (model.configuration.hiddenSize, model.configuration.vocabularySize)
        var result: [Int32] = []
        for first in stride(from: 0, to: reference.windows.count, by: 4) {
            let part = reference.windows[first..<min(first + 4, reference.windows.count)]
            let hidden = try decoder.forward(SequenceBatch(part.map(\.tokens)))
            let count = part.reduce(0) { $0 + $1.tokens.count }
            let chunk = 256
            let logits = FloatBuffer(chunk * v)
            for start in stride(from: 0, to: count, by: chunk) {
                let rows = min(chunk, count - start)
                try decoder.logits(hidden.pointer + start * d, rows: rows, into: logits.pointer)
                var best = [Int32](repeating: 0, count: rows)
                pawl_argmax(model.pool.handle, &best, logits.pointer, rows, v)
                result += best
            }
        }
        return result
    }

    /// Logits far into a text, where the rounding of the rotary angles shows.
    private func long() throws -> [Finding] {
        try reference.long.flatMap { text in
            let decoder = model.decoder(positions: text.tokens.count)
            let (d, v) = (model.configuration.hiddenSize, model.configuration.vocabularySize)
            let hidden = try decoder.forward(SequenceBatch([text.tokens]))
            let logits = FloatBuffer(v)
            return try text.places.map { place in
                try decoder.logits(hidden.pointer + place.place * d, rows: 1, into: logits.pointer)
                let errors = zip(place.tokens, place.logits).map {
                    abs(Double(logits.pointer[Int($0)]) - $1)
                }
                return Finding(
                    claim: "the \(place.tokens.count) largest logits after \(place.place + 1) tokens",
                    figure: "within \(short(errors.max() ?? 0)) (at most 3e-4)",
                    isHeld: !errors.isEmpty && errors.allSatisfy { $0 < 3e-4 })
            }
        }
    }

    /// Weights that nothing changed are written as the bytes that they were read from.
    private func written() throws -> [Finding] {
        let copy = FileManager.default.temporaryDirectory.appending(
            path: "compare-model-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: copy) }
        try ModelWriter.write(model.parameters, like: directory, to: copy, pool: model.pool)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        let different = try names.filter { name in
            let (old, new) = (directory.appending(path: name), copy.appending(path: name))
            return try Digest(of: Files.read(old)) != Digest(of: Files.read(new))
        }
        return [
            Finding(
                claim: "written again, untouched", figure: "\(names.count) files, \(different.count) differ",
                isHeld: different.isEmpty)
        ]
    }
}
