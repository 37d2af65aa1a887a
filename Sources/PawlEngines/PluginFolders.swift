public import Foundation
internal import PawlCore

/// The kinds of thing that come as a folder with a manifest.
public enum PluginKind: String, Sendable, CaseIterable {
    case skill, suite, engine, rehearsal

    /// Name of the folder that holds folders of this kind (`engines`).
    public var collection: String { self == .rehearsal ? "rehearsal" : rawValue + "s" }

    /// Name of the manifest inside each folder (`engine.json`).
    public var manifest: String { rawValue + ".json" }
}

/// Finds skills, suites, engines and rehearsal sets by name on a search path.
///
/// Each root of the path has the layout of `registry/`: `ROOT/engines/NAME/engine.json` and so on.
/// The first root that has a name wins; the others are reported as shadowed.
public struct PluginFolders: Sendable, Hashable {
    /// The roots, in the order in which they are searched.
    public let roots: [URL]

    /// Makes a lookup; roots that do not exist are allowed and hold nothing.
    public init(searchPath: [URL]) { roots = searchPath.map(\.standardizedFileURL) }

    /// A folder that was found.
    public struct Match: Sendable, Hashable {
        /// What it is.
        public var kind: PluginKind
        /// Its name: the folder's.
        public var name: String
        /// The folder.
        public var folder: URL
        /// Folders of the same name later on the search path, which are not used.
        public var shadowed: [URL]

        /// The manifest in the folder.
        public var manifest: URL { folder.appending(path: kind.manifest) }
    }

    /// The folder of a name, or nil.
    public func find(_ kind: PluginKind, _ name: String) throws -> Match? {
        try Name.check(name, "\(kind.rawValue) name")
        let folders = roots.map { $0.appending(path: kind.collection).appending(path: name) }
            .filter { Files.exists($0.appending(path: kind.manifest)) }
        guard let first = folders.first else { return nil }
        return Match(kind: kind, name: name, folder: first, shadowed: Array(folders.dropFirst()))
    }

    /// The folder of a name; the error of an unknown one lists the places and the names that exist.
    public func require(_ kind: PluginKind, _ name: String) throws -> Match {
        if let match = try find(kind, name) { return match }
        let known = all(kind).map(\.name)
        let places = roots.map { $0.appending(path: kind.collection).path }
        throw PawlError(
            .notFound,
            "there is no \(kind.rawValue) named \"\(name)\" in "
                + (places.isEmpty ? "the empty search path" : places.joined(separator: ", ")),
            hint: known.isEmpty
                ? "set PAWL_PLUGINS to a folder that holds \(kind.collection)/\(name)/\(kind.manifest)"
                : "there are: \(known.joined(separator: ", "))")
    }

    /// Every folder of a kind, sorted by name.
    public func all(_ kind: PluginKind) -> [Match] {
        var found: [String: Match] = [:]
        for root in roots {
            let collection = root.appending(path: kind.collection)
            let names = (try? FileManager.default.contentsOfDirectory(atPath: collection.path)) ?? []
            for name in names where (try? Name.check(name, "")) != nil {
                let folder = collection.appending(path: name)
                guard Files.exists(folder.appending(path: kind.manifest)) else { continue }
                if found[name] == nil {
                    found[name] = Match(kind: kind, name: name, folder: folder, shadowed: [])
                } else {
                    found[name]?.shadowed.append(folder)
                }
            }
        }
        return found.values.sorted { $0.name < $1.name }
    }
}

extension PluginFolders {
    /// The search path of the command line: `$PAWL_PLUGINS`, the registry's `plugins/`, what ships.
    ///
    /// - Parameters:
    ///   - environment: where `PAWL_PLUGINS` is looked up: folders separated by colons.
    ///   - registry: root of the registry, if there is one.
    ///   - shipped: the folder that ships with the program (``shippedFolder(executable:)``).
    public static func searchPath(environment: [String: String], registry: URL?, shipped: URL?) -> [URL] {
        let listed = (environment["PAWL_PLUGINS"] ?? "").split(separator: ":").map {
            URL(filePath: String($0))
        }
        return listed + [registry?.appending(path: "plugins"), shipped].compactMap(\.self)
    }

    /// The folder that ships with an executable, nil when there is none.
    ///
    /// It is `registry` beside the executable, `../share/pawl` of an installation, or, in a development
    /// build, the `registry` of the checkout that the executable was built in.
    public static func shippedFolder(executable: URL) -> URL? {
        let directory = executable.resolvingSymlinksInPath().deletingLastPathComponent()
        var candidates = [
            directory.appending(path: "registry"),
            directory.deletingLastPathComponent().appending(path: "share/pawl"),
        ]
        var parent = directory
        while parent.path != "/" {
            parent.deleteLastPathComponent()
            if Files.exists(parent.appending(path: "Package.swift")) {
                candidates.append(parent.appending(path: "registry"))
            }
        }
        return candidates.first { Files.isDirectory($0.appending(path: PluginKind.engine.collection)) }
    }
}
