public import PawlCore

/// The graded answers of one checkpoint to one suite: what a verdict rests on.
///
/// Stored as canonical JSONL in the order of the item digests, so that equal results have equal bytes and
/// one digest, whatever the order in which an engine answered.
public struct Evidence: Sendable, Hashable {
    /// The results, sorted by item digest.
    public let results: [ItemResult]
    /// Canonical JSONL of the results.
    public let bytes: [UInt8]
    /// SHA-256 of the bytes.
    public let digest: Digest

    /// Makes evidence from results in any order; two results for one item are `evidence_invalid`.
    public init(_ results: [ItemResult]) throws {
        guard !results.isEmpty else {
            throw PawlError(.evidenceInvalid, "there is no result in the evidence")
        }
        let sorted = results.sorted { $0.item < $1.item }
        for (a, b) in zip(sorted, sorted.dropFirst()) where a.item == b.item {
            throw PawlError(
                .evidenceInvalid, "two results for the item \(a.item.short): \"\(a.id)\" and \"\(b.id)\"")
        }
        if let bad = sorted.first(where: {
            !(0...1).contains($0.score) || ($0.status != .ok && $0.score != 0)
        }) {
            throw PawlError(
                .evidenceInvalid,
                "item \"\(bad.id)\": the score \(bad.score) with status \(bad.status.rawValue)")
        }
        self.results = sorted
        bytes = try JSON.canonicalLines(sorted)
        digest = Digest(of: bytes)
    }

    /// Reads evidence back. Bytes that are not exactly those that were written are `evidence_invalid`.
    public init(reading bytes: [UInt8], source: String) throws {
        do {
            try self.init(JSON.decodeLines(ItemResult.self, from: bytes, source: source))
        } catch let error as PawlError {
            throw PawlError(.evidenceInvalid, error.message, hint: error.hint)
        }
        guard self.bytes == bytes else {
            throw PawlError(.evidenceInvalid, "\(source): the evidence is not in its canonical form")
        }
    }

    /// Number of items.
    public var count: Int { results.count }

    /// Mean score over all items.
    public var score: Double { results.reduce(0) { $0 + $1.score } / Double(count) }

    /// Number of results with a status.
    public func count(of status: ItemResult.Status) -> Int { results.count { $0.status == status } }

    /// Pairs this evidence with another by item content.
    ///
    /// Unequal sets of items are `evidence_invalid`: a comparison over the common part would be one that
    /// somebody chose after seeing the answers. So are different prompts for one item, where an engine tells them.
    public func paired(with other: Evidence) throws -> [(ItemResult, ItemResult)] {
        let mine = Set(results.map(\.item))
        let theirs = Set(other.results.map(\.item))
        guard mine == theirs else {
            let lacking =
                results.first { !theirs.contains($0.item) } ?? other.results.first { !mine.contains($0.item) }
            throw PawlError(
                .evidenceInvalid,
                "the two evidences cover different items: \(mine.subtracting(theirs).count) only in the first, "
                    + "\(theirs.subtracting(mine).count) only in the second"
                    + (lacking.map { " (\"\($0.id)\", \($0.item.short))" } ?? ""),
                hint: "evaluate both checkpoints on the same version of the suite")
        }
        let pairs = Array(zip(results, other.results))
        if let (a, b) = pairs.first(where: { $0.prompt != nil && $1.prompt != nil && $0.prompt != $1.prompt })
        {
            throw PawlError(
                .evidenceInvalid,
                "the two checkpoints were shown different prompts at item \"\(a.id)\" (\(a.prompt?.short ?? ""), "
                    + "\(b.prompt?.short ?? ""))",
                hint:
                    "their chat templates or tokenizers differ, or the harness draws its examples anew each time"
            )
        }
        return pairs
    }
}
