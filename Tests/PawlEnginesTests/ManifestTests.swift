import Foundation
import PawlCore
import Testing

@testable import PawlEngines

@Suite("engine.json and plug-in folders")
struct ManifestTests {
    let shop: Workshop

    init() throws { shop = try Workshop() }

    /// Copies the stub's folder so that it can be spoiled.
    private func copyOfStub(_ root: String = "root", name: String = "stub") throws -> URL {
        let folder = shop.root.appending(path: "\(root)/engines/\(name)")
        try Files.createDirectory(folder.deletingLastPathComponent())
        try FileManager.default.copyItem(at: Fixtures.root.appending(path: "engines/stub"), to: folder)
        return folder
    }

    private func edit(_ folder: URL, _ old: String, _ new: String) throws {
        let url = folder.appending(path: "engine.json")
        let text = String(decoding: try Files.read(url), as: UTF8.self)
        #expect(text.contains(old))
        try Files.writeAtomically(Array(text.replacing(old, with: new).utf8), to: url)
    }

    @Test(
        "a mistake is named by file and field",
        arguments: [
            (#""version": "1.0.0","#, "", "field version: is missing"),
            (
                #""evaluate": true"#, #""evaluate": "yes""#,
                "field capabilities.evaluate: must be true or false"
            ),
            (#""program": "run""#, #""program": "../run""#, "field program"),
            (#"["run", "#, #"["run", "../x", "#, "field files[1]"),
            (#""protocol": 1"#, #""protocol": 2"#, "field protocol: 2"),
            (#""name": "stub""#, #""name": "other""#, "differs from the folder's name"),
            (#""environment": []"#, #""environment": ["A=b"]"#, "field environment"),
            (#""environment": []"#, #""enviroment": []"#, "field environment: is missing"),
            (#""uses": {"#, #""use": 1, "uses": {"#, "the field use is not known"),
            (#""sha256": ""#, #""sha256": "x"#, "field sha256"),
        ])
    func mistakes(old: String, new: String, expected: String) async throws {
        let folder = try copyOfStub()
        try edit(folder, old, new)
        let error = try await failure { try EngineManifest(folder: folder) }
        #expect(error.message.contains(expected), "\(error)")
        #expect(error.message.contains(folder.appending(path: "engine.json").path))
    }

    @Test("a changed program is refused with both digests and what to do")
    func changedProgram() async throws {
        let folder = try copyOfStub()
        let engine = try PluginEngine(folder: folder)
        try Files.writeAtomically(Array("# changed\n".utf8), to: folder.appending(path: "stub.py"))
        let error = try await failure { try await engine.describe() }
        let found = try EngineManifest.programDigest(folder: folder, files: engine.manifest.files)
        #expect(error.code == .evidenceInvalid)
        #expect(error.message.contains(found.hex) && error.message.contains(engine.manifest.sha256.hex))
        #expect(error.hint?.contains(found.hex) == true)
    }

    @Test("a program that cannot start is an error that says so")
    func cannotStart() async throws {
        let folder = try copyOfStub()
        let program = folder.appending(path: "run")
        try FileManager.default.removeItem(at: program)
        try Files.writeAtomically(Array("#!/no/such/interpreter\n".utf8), to: program)
        let files = try EngineManifest(folder: folder)
        let digest = try EngineManifest.programDigest(folder: folder, files: files.files)
        try edit(folder, files.sha256.hex, digest.hex)
        let engine = try PluginEngine(folder: folder)
        let error = try await failure { try await engine.describe() }
        #expect(error.message.contains("is not executable") && error.hint?.contains("chmod +x") == true)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        let second = try await failure { try await engine.describe() }
        #expect(second.code == .engine && second.message.contains("cannot run engine \"stub\""), "\(second)")
    }

    @Test("the first root wins, later ones are reported as shadowed")
    func searchPath() async throws {
        let first = try copyOfStub("a")
        let second = try copyOfStub("b")
        _ = try copyOfStub("b", name: "elsewhere")
        let folders = PluginFolders(searchPath: ["a", "missing", "b"].map { shop.root.appending(path: $0) })
        let match = try folders.require(.engine, "stub")
        #expect(match.folder.path == first.path && match.shadowed.map(\.path) == [second.path])
        #expect(folders.all(.engine).map(\.name) == ["elsewhere", "stub"])
        #expect(folders.all(.engine).map(\.shadowed.count) == [0, 1])
        #expect(folders.all(.skill).isEmpty)
        let error = try await failure { try folders.require(.engine, "stubb") }
        #expect(error.code == .notFound && error.hint == "there are: elsewhere, stub", "\(error)")
        #expect(error.message.contains("/missing/engines"))
        let entries = EngineDirectory(searchPath: folders.roots).all()
        #expect(entries.map(\.match.name) == ["elsewhere", "stub"])
        #expect(throws: PawlError.self) { try entries[0].manifest.get() }
        #expect(try entries[1].manifest.get().name == "stub")
    }

    @Test("the search path is PAWL_PLUGINS, the registry's plugins, what ships")
    func order() throws {
        let path = PluginFolders.searchPath(
            environment: ["PAWL_PLUGINS": "/x:/y"], registry: URL(filePath: "/r"),
            shipped: URL(filePath: "/s"))
        #expect(path.map(\.path) == ["/x", "/y", "/r/plugins", "/s"])
        #expect(PluginFolders.searchPath(environment: [:], registry: nil, shipped: nil).isEmpty)
        let executable = shop.root.appending(path: "bin/pawl")
        #expect(PluginFolders.shippedFolder(executable: executable) == nil)
        try Files.createDirectory(shop.root.appending(path: "share/pawl/engines"))
        #expect(PluginFolders.shippedFolder(executable: executable)?.path == shop.root.path + "/share/pawl")
    }

    @Test("the fixtures' digests are current (Tests/Fixtures/engines/seal.py)")
    func sealed() throws {
        for entry in EngineDirectory(searchPath: [Fixtures.root]).all() {
            try entry.manifest.get().checkProgram(in: entry.match.folder)
        }
    }
}
