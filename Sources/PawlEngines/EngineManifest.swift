public import Foundation
public import PawlCore

/// `engine.json`: what an engine's folder holds, what it can do and what it may use.
public struct EngineManifest: Sendable, Codable, Hashable {
    /// Name; equal to the folder's.
    public var name: String
    /// Semantic version.
    public var version: String
    /// One sentence for people.
    public var description: String
    /// Version of the protocol that the program speaks.
    public var `protocol`: Int
    /// Path of the executable inside the folder.
    public var program: String
    /// Digest of the program (``programDigest(folder:files:)``).
    public var sha256: Digest
    /// Every file of the program, in the order in which they are hashed.
    public var files: [String]
    /// What it can do.
    public var capabilities: EngineCapabilities
    /// Names of the environment variables that are passed through; `PATH`, `HOME` and `LANG` always are.
    public var environment: [String]
    /// What it may use.
    public var uses: Uses
    /// Licence of the program.
    public var licence: String?
    /// Where it comes from.
    public var source: String?

    /// What an engine may use.
    public struct Uses: Sendable, Codable, Hashable {
        /// Whether it needs the network.
        public var network: Bool
        /// Whether it needs a GPU.
        public var gpu: GPU

        /// How far an engine needs a GPU.
        public enum GPU: String, Sendable, Codable, Hashable { case none, optional, required }
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, version, description, `protocol`, program, sha256, files, capabilities, environment, uses
        case licence, source
    }

    /// Reads the manifest of a folder strictly; errors name the file and the field.
    public init(folder: URL) throws {
        let url = folder.appending(path: PluginKind.engine.manifest)
        let bytes = try Files.read(url)
        self = try JSON.decode(Self.self, from: bytes, source: url.path)
        try Self.checkKnownFields(JSON.parse(bytes, source: url.path), source: url.path)
        try check(folderName: folder.lastPathComponent, source: url.path)
    }

    /// The description that `engine ls` shows without starting the program.
    public var engineDescription: EngineDescription {
        EngineDescription(
            name: name, version: version, summary: description, protocol: self.protocol, program: sha256,
            capabilities: capabilities)
    }

    /// SHA-256 over, for each file in order, `<sha256 hex>  <name>\n`.
    public static func programDigest(folder: URL, files: [String]) throws -> Digest {
        var hasher = SHA256()
        for file in files {
            let line = "\(Digest(of: try Files.read(folder.appending(path: file))).hex)  \(file)\n"
            hasher.update(Array(line.utf8))
        }
        return hasher.finish()
    }

    /// Refuses a program whose files are not those that the manifest names by digest.
    public func checkProgram(in folder: URL) throws {
        let found = try Self.programDigest(folder: folder, files: files)
        guard found == sha256 else {
            throw PawlError(
                .evidenceInvalid,
                """
                engine "\(name)": the program in \(folder.path) has the digest \(found.hex), \
                but engine.json says \(sha256.hex)
                """,
                hint: """
                    if the program was changed on purpose, put "sha256": "\(found.hex)" into \
                    \(folder.appending(path: PluginKind.engine.manifest).path); otherwise restore its files
                    """)
        }
        let program = folder.appending(path: self.program)
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw PawlError(
                .invalidArgument, "engine \"\(name)\": \(program.path) is not executable",
                hint: "run: chmod +x \(program.path)")
        }
    }

    private static func checkKnownFields(_ value: JSONValue, source: String) throws {
        let known = Set(CodingKeys.allCases.map(\.stringValue) + ["$schema"])
        if let unknown = (value.object ?? [:]).keys.sorted().first(where: { !known.contains($0) }) {
            throw PawlError(
                .invalidArgument, "\(source): the field \(unknown) is not known",
                hint:
                    "the fields of engine.json are \(CodingKeys.allCases.map(\.stringValue).joined(separator: ", "))"
            )
        }
    }

    private func check(folderName: String, source: String) throws {
        func fail(_ field: String, _ reason: String, hint: String? = nil) -> PawlError {
            PawlError(.invalidArgument, "\(source), field \(field): \(reason)", hint: hint)
        }
        try Name.check(name, "\(source), field name")
        try Name.checkVersion(version, "\(source), field version")
        guard name == folderName else {
            throw fail("name", "\"\(name)\" differs from the folder's name \"\(folderName)\"")
        }
        guard self.protocol == EngineDescription.protocolVersion else {
            throw fail(
                "protocol", "\(self.protocol) is not a version that this Pawl speaks",
                hint: "this Pawl speaks protocol \(EngineDescription.protocolVersion)")
        }
        for (index, file) in files.enumerated() {
            guard RelativePath.isPlain(file) else {
                throw fail("files[\(index)]", "\"\(file)\" is not a path inside the folder")
            }
        }
        guard Set(files).count == files.count else { throw fail("files", "a file is listed twice") }
        guard files.contains(program) else {
            throw fail("program", "\"\(program)\" is not among \"files\"")
        }
        if let bad = environment.first(where: { $0.isEmpty || $0.contains("=") || $0.contains("\0") }) {
            throw fail("environment", "\"\(bad)\" is not the name of a variable")
        }
    }
}

/// The rule for paths inside a folder.
enum RelativePath {
    /// True for `a/b`: not absolute, no empty part, no `.` or `..`, no NUL.
    static func isPlain(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return !parts.isEmpty && !path.utf8.contains(0)
            && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}
