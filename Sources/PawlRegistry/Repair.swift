public import Foundation
public import PawlCore
public import PawlStore

/// What a repair of a registry did.
public struct RegistryRepair: Codable, Sendable, Hashable {
    /// The registry that it took from.
    public var source: String
    /// The files that are sound again.
    public var mended: [Mended]

    private enum CodingKeys: String, CodingKey {
        case mended
        case source = "from"
    }
}

extension Registry {
    /// Mends damaged and missing objects with those of another registry; what comes from there is checked.
    ///
    /// An object that the other registry does not have is replaced when it holds the same tensor in another
    /// encoding. The rows are not touched: ``rebuild(at:)`` makes them from the journal, whose documents
    /// this does bring back.
    ///
    /// - Parameter source: directory of the other registry; its database is not needed. `notFound` when there is none.
    /// - Returns: what is wrong afterwards, and what was mended.
    public func repair(from source: URL, deep: Bool = true, progress: ProgressHandler? = nil) throws
        -> VerifyReport
    {
        let other = try Store(opening: source)
        var means: [String: Mended] = [:]
        var report = try verify(deep: deep, progress: progress)
        // Each pass may bring back objects that name others, no more links than a chain and its manifest have.
        for _ in 0..<Self.repairPasses where !report.isSound {
            let mended = try store.repair(report.damage, documents: Self.named(report.problems), from: other)
            if mended.isEmpty { break }
            for item in mended { means[item.object] = item }
            report = try verify(deep: deep, progress: progress)
        }
        // What was mended in one pass and is damaged again in the last look is not mended.
        let damaged = Set(report.damage.map(\.object))
        report.repair = RegistryRepair(
            source: source.path,
            mended: means.values.filter { !damaged.contains($0.object) }.sorted { $0.object < $1.object })
        return report
    }

    private static let repairPasses = 8

    /// Documents, entries and trees that problems are about.
    private static func named(_ problems: [VerifyReport.Problem]) -> [Digest] {
        problems.filter { [.document, .journal, .tree].contains($0.kind) }.compactMap {
            Digest(hex: $0.subject)
        }
    }
}
