public import Foundation
public import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
public import PawlStore

extension Workflow {
    /// What `init` made.
    public struct InitialiseReport: Codable, Sendable {
        /// Directory of the registry.
        public var registry: String
        /// The base checkpoint.
        public var base: Digest
        /// Bytes of the model directory.
        public var logicalBytes: Int
        /// Bytes that the store takes for it.
        public var storedBytes: Int
        /// General suites that guard it from now on.
        public var suites: [String]

        private enum CodingKeys: String, CodingKey {
            case registry, base, suites
            case logicalBytes = "logical_bytes"
            case storedBytes = "stored_bytes"
        }
    }

    /// Makes a registry with a base checkpoint and the suites that guard it.
    ///
    /// It is built in a directory beside its place and renamed when it is whole: killed at any
    /// instant, there is either no registry or a complete one.
    ///
    /// - Parameters:
    ///   - base: a Hugging Face model directory.
    ///   - suites: folders or names of general suites; nil for all that ship and need no other engine.
    ///   - level: how the base's tensors are written, kept with the checkpoint and with each of them.
    public static func initialise(
        at root: URL, base: URL, suites: [String]?, level: EncodingLevel = .standard,
        progress: @escaping ProgressHandler
    ) throws -> InitialiseReport {
        try checkModelDirectory(base)
        try checkFree(root)
        let folders = PluginFolders(searchPath: searchPath(registry: nil))
        let loaded =
            try suites.map {
                try $0.map { try folder(.suite, $0, in: folders) }.map { ($0, try Suite(loading: $0)) }
            }
            ?? generalSuites(in: folders)

        let parent = root.deletingLastPathComponent()
        try Files.createDirectory(parent)
        // One name for all attempts, guarded by a lock: what a killed attempt left is swept away by the next.
        let partial = parent.appending(path: ".\(root.lastPathComponent).partial")
        guard let lock = try FileLock.attempt(parent.appending(path: ".\(root.lastPathComponent).lock"))
        else {
            throw PawlError(.locked, "another process is making \(root.path)", hint: "wait for it")
        }
        defer { withExtendedLifetime(lock) {} }
        try Files.remove(partial)
        let report = try build(at: partial, base: base, suites: loaded, level: level, progress: progress)
        try checkFree(root)
        if Files.exists(root) { try Files.removeEmptyDirectory(root) }
        try Files.rename(partial, to: root)
        return InitialiseReport(
            registry: root.path, base: report.tree, logicalBytes: report.logicalBytes,
            storedBytes: report.storedBytes, suites: loaded.map(\.1.name))
    }

    /// The suites on a search path that any engine can be measured on: not those that an evaluator plug-in scores, which
    /// has to be installed first.
    static func generalSuites(in folders: PluginFolders) throws -> [(URL, Suite)] {
        try folders.all(.suite).map { ($0.folder, try Suite(loading: $0.folder)) }
            .filter { $0.1.manifest.grader.engine == nil }
    }

    private static func checkFree(_ root: URL) throws {
        guard !Files.exists(root.appending(path: "pawl.db")) else {
            throw PawlError(
                .alreadyExists, "\(root.path) already holds a registry",
                hint: "use it with --registry \(root.path), or choose another directory")
        }
        if let entries = try? FileManager.default.contentsOfDirectory(atPath: root.path), !entries.isEmpty {
            throw PawlError(.alreadyExists, "\(root.path) is not empty", hint: "choose another directory")
        }
    }

    private static func build(
        at root: URL, base: URL, suites: [(URL, Suite)], level: EncodingLevel,
        progress: @escaping ProgressHandler
    ) throws -> ImportReport {
        let registry = try Registry.create(at: root)
        let report = try registry.store.importTree(
            base, options: ImportOptions(level: level), progress: progress)
        try registry.initialise(
            CheckpointManifest(
                digest: report.tree, parent: nil, origin: .base,
                details: ["encoding_level": .string(level.rawValue)], created: .now))
        for (folder, suite) in suites {
            try add(suite, folder: folder, to: registry)
        }
        return report
    }

    /// A model directory holds a configuration and at least one safetensors file.
    static func checkModelDirectory(_ directory: URL) throws {
        guard Files.isDirectory(directory) else {
            throw PawlError(.notFound, "\(directory.path): there is no such directory")
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        guard names.contains(where: { $0.hasSuffix(".safetensors") }) else {
            throw PawlError(
                .invalidArgument, "\(directory.path): there is no .safetensors file in it",
                hint: "give a Hugging Face model directory (config.json, tokenizer.json, *.safetensors)")
        }
        guard names.contains("config.json") else {
            throw PawlError(.invalidArgument, "\(directory.path): there is no config.json in it")
        }
    }
}
