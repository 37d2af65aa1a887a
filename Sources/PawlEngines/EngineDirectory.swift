public import Foundation
public import PawlCore

/// The engines on a search path.
public struct EngineDirectory: Sendable {
    /// Where engines are looked up.
    public let folders: PluginFolders
    /// Time limits of the engines made here.
    public var limits: EngineLimits

    /// Makes a directory over a search path (``PluginFolders/searchPath(environment:registry:shipped:)``).
    public init(searchPath: [URL], limits: EngineLimits = EngineLimits()) {
        folders = PluginFolders(searchPath: searchPath)
        self.limits = limits
    }

    /// One engine of a listing; a folder with a broken manifest is listed with what is wrong.
    public struct Entry: Sendable {
        /// The folder, and the ones that it shadows.
        public var match: PluginFolders.Match
        /// The manifest, or why it could not be read.
        public var manifest: Result<EngineManifest, PawlError>
    }

    /// The engine of a name, not started yet: the one in this process, or a plug-in.
    public func engine(_ name: String) throws -> any Engine {
        name == NativeEngine.name ? NativeEngine() : try plugin(name)
    }

    /// The plug-in of a name, not started yet.
    public func plugin(_ name: String) throws -> PluginEngine {
        try PluginEngine(folder: try folders.require(.engine, name).folder, limits: limits)
    }

    /// Every engine, sorted by name.
    public func all() -> [Entry] {
        folders.all(.engine).map { match in
            let manifest = Result { try EngineManifest(folder: match.folder) }.mapError { error in
                error as? PawlError ?? PawlError(.io, "cannot read \(match.manifest.path)", underlying: error)
            }
            return Entry(match: match, manifest: manifest)
        }
    }
}
