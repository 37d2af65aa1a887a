public import Foundation
internal import PawlCore

/// `skill.json`: what a skill is made of.
public struct SkillManifest: Codable, Sendable, Hashable {
    /// Name of the skill.
    public let name: String
    /// Version of the skill.
    public let version: String
    /// What the skill is, in a sentence.
    public let description: String
    /// File of the demonstrations, in the folder of the manifest.
    public let demonstrations: String
    /// File of the suite's manifest, in the folder of the manifest.
    public let suite: String
    /// What the teacher may see; the probe takes the best.
    public let contexts: [TeacherContext]
    /// The recipe, completed with the defaults.
    public let recipe: Recipe
    /// The licence of the demonstrations and items.
    public let licence: String?
    /// Where they come from.
    public let source: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, version, description, demonstrations, suite, teacher, recipe, licence, source
    }
    private struct Teacher: Codable {
        let contexts: [TeacherContext]
        enum CodingKeys: String, CodingKey, CaseIterable { case contexts }

        init(contexts: [TeacherContext]) { self.contexts = contexts }

        init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(CodingKeys.self)
            contexts = try decoder.container(keyedBy: CodingKeys.self)
                .decode([TeacherContext].self, forKey: .contexts)
            if contexts.isEmpty {
                throw decoder.failure(CodingKeys.contexts, "must hold at least one context")
            }
        }
    }

    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        try decoder.checkName(name, CodingKeys.name)
        version = try container.decode(String.self, forKey: .version)
        try decoder.checkVersion(version, CodingKeys.version)
        description = try container.decodeIfPresent(String.self, forKey: .description) ?? ""
        demonstrations =
            try container.decodeIfPresent(String.self, forKey: .demonstrations) ?? "demonstrations.jsonl"
        try decoder.checkFile(demonstrations, CodingKeys.demonstrations)
        suite = try container.decodeIfPresent(String.self, forKey: .suite) ?? "suite.json"
        try decoder.checkFile(suite, CodingKeys.suite)
        contexts =
            try container.decodeIfPresent(Teacher.self, forKey: .teacher)?.contexts
            ?? [.demonstration(template: TeacherContext.officialTemplate)]
        recipe = try container.decodeIfPresent(Recipe.self, forKey: .recipe) ?? Recipe()
        licence = try container.decodeIfPresent(String.self, forKey: .licence)
        source = try container.decodeIfPresent(String.self, forKey: .source)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(version, forKey: .version)
        try container.encode(description, forKey: .description)
        try container.encode(demonstrations, forKey: .demonstrations)
        try container.encode(suite, forKey: .suite)
        try container.encode(Teacher(contexts: contexts), forKey: .teacher)
        try container.encode(recipe, forKey: .recipe)
        try container.encodeIfPresent(licence, forKey: .licence)
        try container.encodeIfPresent(source, forKey: .source)
    }
}

/// A skill folder that has been read whole: manifest, demonstrations and suite.
public struct SkillFolder: Sendable {
    /// The folder.
    public let folder: URL
    /// `skill.json`.
    public let manifest: SkillManifest
    /// The demonstrations in the order of the file.
    public let demonstrations: [Demonstration]
    /// The suite that measures the skill.
    public let suite: Suite

    /// Reads and checks a skill folder.
    ///
    /// Errors name the file, the line and the field.
    public init(loading folder: URL) throws {
        let file = folder.appending(path: "skill.json")
        let (manifest, bytes) = try StrictJSON.load(SkillManifest.self, at: file)
        let demonstrations = try Demonstration.load(folder.appending(path: manifest.demonstrations))
        self.folder = folder
        self.manifest = manifest
        self.demonstrations = demonstrations
        self.suite = try Suite(loading: folder, manifest: manifest.suite)
        guard suite.manifest.grader.engine == nil else {
            throw PawlError(
                .invalidArgument,
                "\(folder.appending(path: manifest.suite).path), field grader: a skill's suite needs a grader of the gate, "
                    + "which also judges the probe; a task that an engine scores can guard a line, not measure a skill",
                hint:
                    "add the task as a suite of its own (pawl suite add) and give the skill items with targets"
            )
        }
        for (index, context) in manifest.contexts.enumerated() {
            guard let (key, reason) = Self.problem(of: context, with: demonstrations) else { continue }
            let path = [AnyKey("teacher"), AnyKey("contexts"), AnyKey(index), AnyKey(key)]
            throw JSON.error(at: path, in: bytes, source: file.path, reason)
        }
    }

    /// What a context asks for that the demonstrations do not have: the key and the reason.
    private static func problem(
        of context: TeacherContext, with demonstrations: [Demonstration]
    ) -> (key: String, reason: String)? {
        if case .hindsight = context {
            return demonstrations.first { $0.followup == nil }
                .map { ("kind", "demonstration \"\($0.id)\" has no followup") }
        }
        if let record = demonstrations.first(where: { $0.followup != nil }) {
            return (
                "kind",
                "demonstration \"\(record.id)\" has a followup, so its response is no expert's; "
                    + "only hindsight can learn from it"
            )
        }
        switch context {
        case .demonstration, .hindsight: return nil
        case .document:
            return demonstrations.first { $0.document == nil }
                .map { ("kind", "demonstration \"\($0.id)\" has no document") }
        case .fewShot(let shots, _):
            let count = demonstrations.count
            return shots < count
                ? nil : ("shots", "\(shots) shots need \(shots + 1) demonstrations, there are \(count)")
        }
    }
}
