internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlGate
public import PawlRegistry
internal import PawlStore

extension Workflow {
    /// Reads and checks a suite folder and adds it as a general suite.
    @discardableResult
    public func addSuite(_ pathOrName: String) throws -> SuiteRecord {
        let folder = try folder(.suite, pathOrName)
        return try Self.add(try Suite(loading: folder), folder: folder, to: registry)
    }

    @discardableResult
    static func add(_ suite: Suite, folder: URL, to registry: Registry) throws -> SuiteRecord {
        let tree = try registry.store.importTree(folder, options: ImportOptions(), progress: nil).tree
        let record = SuiteRecord(
            name: suite.name, version: suite.version, digest: suite.digest, tree: tree, skill: nil,
            family: suite.manifest.family, metric: suite.metric.rawValue,
            margin: try json(suite.manifest.margin), added: .now)
        try registry.addSuite(record)
        return record
    }

    /// Keeps a skill folder in the store and records the skill with its suite.
    func addSkill(_ skill: SkillFolder) throws -> SkillRecord {
        let tree = try registry.store.importTree(skill.folder, options: ImportOptions(), progress: nil).tree
        let suite = SuiteRecord(
            name: skill.suite.name, version: skill.suite.version, digest: skill.suite.digest, tree: tree,
            skill: skill.manifest.name, family: skill.suite.manifest.family,
            metric: skill.suite.metric.rawValue,
            margin: try Self.json(skill.suite.manifest.margin), added: .now)
        let record = SkillRecord(
            name: skill.manifest.name, version: skill.manifest.version, digest: tree,
            suite: skill.suite.digest)
        try registry.addSuite(suite)
        try registry.addSkill(record)
        return record
    }

    /// The items and rules of a recorded suite, from the store.
    func load(_ record: SuiteRecord) throws -> Suite {
        let folder = try registry.store.materialise(record.tree)
        let suite = record.skill == nil ? try Suite(loading: folder) : try SkillFolder(loading: folder).suite
        guard suite.digest == record.digest else {
            throw PawlError(
                .corrupt, "suite \(record.name): its stored files do not have its digest", hint: "pawl verify"
            )
        }
        return suite
    }

    /// The folder of a recorded skill, from the store.
    func load(_ record: SkillRecord) throws -> SkillFolder {
        try SkillFolder(loading: try registry.store.materialise(record.digest))
    }

    static func json(_ value: some Encodable) throws -> JSONValue {
        try JSON.parse(JSON.canonical(value), source: "\(type(of: value))")
    }
}
