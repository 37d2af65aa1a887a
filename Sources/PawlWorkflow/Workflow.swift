public import Foundation
public import PawlCore
public import PawlEngines
public import PawlRegistry

/// The use cases of Pawl over one registry: the only place where store, gate, engines and registry meet.
public struct Workflow: Sendable {
    /// The registry that is worked on.
    public let registry: Registry
    /// Where engines, skills, suites and rehearsal sets are looked up by name.
    public let folders: PluginFolders
    /// Engines on the same search path.
    public let engines: EngineDirectory
    /// Takes the progress of long work.
    public let progress: ProgressHandler
    /// Takes sentences for people: which phase starts, what was found.
    public let notice: @Sendable (String) -> Void

    /// Makes the use cases of a registry.
    public init(
        registry: Registry, limits: EngineLimits = EngineLimits(),
        progress: @escaping ProgressHandler = { _ in },
        notice: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.registry = registry
        folders = PluginFolders(searchPath: Self.searchPath(registry: registry.root))
        engines = EngineDirectory(searchPath: folders.roots, limits: limits)
        self.progress = progress
        self.notice = notice
    }

    /// Where folders of a name are looked up: `$PAWL_PLUGINS`, the registry's own, what ships.
    ///
    /// - Parameter registry: the registry's root; nil before there is one.
    public static func searchPath(registry: URL?) -> [URL] {
        PluginFolders.searchPath(
            environment: ProcessInfo.processInfo.environment, registry: registry,
            shipped: PluginFolders.shippedFolder(executable: executable))
    }

    /// The running program, with links resolved.
    private static var executable: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    }

    /// The folder of a skill, suite or rehearsal set: a path, or a name on the search path.
    public func folder(_ kind: PluginKind, _ pathOrName: String) throws -> URL {
        try Self.folder(kind, pathOrName, in: folders)
    }

    /// The folder of a skill, suite or rehearsal set: a path, or a name on the search path.
    public static func folder(_ kind: PluginKind, _ pathOrName: String, in folders: PluginFolders) throws
        -> URL
    {
        let url = URL(filePath: pathOrName)
        if pathOrName.contains("/") || Files.exists(url.appending(path: kind.manifest)) {
            guard Files.isDirectory(url) else {
                throw PawlError(.notFound, "\(pathOrName): there is no such \(kind.rawValue) folder")
            }
            return url.standardizedFileURL
        }
        return try folders.require(kind, pathOrName).folder
    }

    /// Trees whose tensors a new checkpoint is stored as differences to, best guess first.
    func deltaBases(for parent: Digest) throws -> [Digest] {
        let base = try registry.line(of: parent).last?.digest
        return [parent] + (base == parent ? [] : base.map { [$0] } ?? [])
    }
}
