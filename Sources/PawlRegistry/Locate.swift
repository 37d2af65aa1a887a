public import Foundation
internal import PawlCore

extension Registry {
    /// The directory of the registry to use: an explicit one, `$PAWL_REGISTRY`, `.pawl` here or in
    /// a directory above, `~/.pawl`.
    ///
    /// An explicit or home directory is returned whether or not it holds a registry; opening it says so.
    public static func locate(
        explicit: String?,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        workingDirectory: URL = URL(filePath: FileManager.default.currentDirectoryPath),
        home: URL = FileManager.default.homeDirectoryForCurrentUser
    ) -> URL {
        if let named = explicit ?? environment["PAWL_REGISTRY"].flatMap({ $0.isEmpty ? nil : $0 }) {
            let here = URL(filePath: workingDirectory.path, directoryHint: .isDirectory)
            return URL(filePath: named, directoryHint: .isDirectory, relativeTo: here).standardizedFileURL
                .absoluteURL
        }
        var directory = workingDirectory.standardizedFileURL
        while true {
            let candidate = directory.appending(path: ".pawl", directoryHint: .isDirectory)
            if Files.isDirectory(candidate) { return candidate }
            let parent = directory.deletingLastPathComponent().standardizedFileURL
            if parent.path == directory.path || directory.path == "/" { break }
            directory = parent
        }
        return home.appending(path: ".pawl", directoryHint: .isDirectory)
    }
}
