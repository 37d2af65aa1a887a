public import Foundation
public import PawlCore
public import PawlGate

/// What `pawl harvest` made of a log.
public struct HarvestReport: Codable, Sendable, Hashable {
    /// Name of the skill.
    public var skill: String
    /// The folder; nil when nothing was written.
    public var folder: String?
    /// SHA-256 of the log.
    public var log: Digest
    /// Why conversations without a consent flag were used; nil when they were not.
    public var assumedConsent: String?
    /// Version of the patterns that secrets were found by.
    public var secretPatterns: Int
    /// How much was kept, and why not the rest.
    public var kept: Harvest.Report

    private enum CodingKeys: String, CodingKey {
        case skill, folder, log, kept
        case assumedConsent = "assumed_consent"
        case secretPatterns = "secret_patterns"
    }
}

extension Workflow {
    /// Makes a skill folder with the teacher context `hindsight` from a log of conversations.
    ///
    /// The folder appears whole or not at all, and passes `pawl skill check`. It holds no text of conversations that were
    /// left out. Reading and writing need no registry.
    ///
    /// - Parameters:
    ///   - log: JSONL, a conversation a line.
    ///   - folder: where the skill goes; its last part is the skill's name.
    ///   - isDry: only count.
    public static func harvest(
        _ log: URL, into folder: URL, options: Harvest.Options, isDry: Bool
    ) throws -> HarvestReport {
        let name = folder.lastPathComponent
        try Name.check(name, "skill name")
        guard isDry || !Files.exists(folder) else {
            throw PawlError(.alreadyExists, "\(folder.path) is there already", hint: "name another folder")
        }
        let bytes = try Files.read(log)
        var harvest = try Harvest(bytes, options: options)
        let files = try suiteFiles(name, harvest)
        if !harvest.items.isEmpty {
            let suite = try Suite(manifest: files.manifest, items: files.items)
            harvest.remove(Contamination(suite).overlaps(with: harvest.demonstrations))
        }
        var report = HarvestReport(
            skill: name, folder: nil, log: Digest(of: bytes), assumedConsent: options.assumedConsent,
            secretPatterns: SecretFilter.version, kept: harvest.report)
        guard !isDry else { return report }
        try requireEnough(harvest.report, log)
        report.folder = folder.path
        try write(
            [
                ("skill.json", try manifest(name, report)), ("suite.json", files.manifest),
                ("items.jsonl", files.items),
                ("demonstrations.jsonl", try JSON.canonicalLines(harvest.demonstrations)),
                ("harvest.json", try JSON.pretty(provenance(report))),
            ], to: folder)
        return report
    }

    /// A skill needs something to learn, something to probe with and something to be measured by.
    private static func requireEnough(_ kept: Harvest.Report, _ log: URL) throws {
        let missing =
            kept.demonstrations < 2
            ? "fewer than two exchanges can be learned from"
            : kept.items == 0 || kept.judged == 0
                ? "there are too few corrections whose next answer the user took: suite and probe need such"
                : nil
        guard let missing else { return }
        let reasons = kept.leftOut.map { "\($0.reason) \($0.count)" }.joined(separator: ", ")
        throw PawlError(
            .invalidArgument,
            "\(log.path): \(missing) (\(kept.conversations) conversations, \(kept.demonstrations) demonstrations, "
                + "\(kept.judged) judged, \(kept.items) items; left out: \(reasons.isEmpty ? "nothing" : reasons))",
            hint: "pawl harvest --dry-run shows what a log gives; docs/harvest.md has the reasons")
    }

    private static func suiteFiles(_ name: String, _ harvest: Harvest) throws -> (
        manifest: [UInt8], items: [UInt8]
    ) {
        let manifest: JSONValue = [
            "name": .string(name), "version": "1.0.0",
            "description": "Corrected responses: the one that users took against the one they rejected.",
            "family": .string(name), "metric": "accuracy", "margin": 0.1, "items": "items.jsonl",
            "decoding": ["template": "chat"],
            "grader": ["kind": "multiple_choice", "normalisation": "tokens"],
        ]
        return (try JSON.pretty(manifest), try JSON.canonicalLines(harvest.items))
    }

    private static func manifest(_ name: String, _ report: HarvestReport) throws -> [UInt8] {
        try JSON.pretty(
            JSONValue.object([
                "name": .string(name), "version": "1.0.0",
                "description": "Learned from what users said next in conversations.",
                "demonstrations": "demonstrations.jsonl", "suite": "suite.json",
                "teacher": [
                    "contexts": [["kind": "hindsight", "as_turns": true], ["kind": "hindsight"]]
                ],
                "source": .string(
                    "Conversations with consent; log SHA-256 \(report.log), made by pawl harvest."),
            ]))
    }

    /// The report as it is kept in the folder: without the folder's place on this machine.
    private static func provenance(_ report: HarvestReport) -> HarvestReport {
        var report = report
        report.folder = nil
        return report
    }

    /// Writes a folder beside its place, reads it as a skill, and renames it.
    private static func write(_ files: [(name: String, bytes: [UInt8])], to folder: URL) throws {
        let parent = folder.deletingLastPathComponent()
        try Files.createDirectory(parent)
        let partial = parent.appending(path: ".\(folder.lastPathComponent).partial-\(UUID().uuidString)")
        try Files.createDirectory(partial)
        do {
            for file in files {
                try Files.writeAtomically(file.bytes, to: partial.appending(path: file.name))
            }
            _ = try SkillFolder(loading: partial)
            try Files.rename(partial, to: folder)
        } catch {
            try? Files.remove(partial)
            throw error
        }
    }
}
