import Foundation
import PawlCore
import PawlEngines
import PawlModel
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("A model read from the store")
struct StoredModelTests {
    private static let model = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "registry/engines/conformance/model")

    /// A registry whose base is the tiny model that ships, with a folder beside its files.
    private func registry(_ world: World) throws -> (registry: Registry, base: Digest, source: URL) {
        let source = world.root.appending(path: "tiny")
        try FileManager.default.copyItem(at: Self.model, to: source)
        try Files.createDirectory(source.appending(path: "notes/empty"))
        try Files.writeAtomically(Array("kept".utf8), to: source.appending(path: "notes/text.txt"))
        let place = world.root.appending(path: "native")
        let report = try Workflow.initialise(
            at: place, base: source, suites: [world.root.appending(path: "general").path], progress: { _ in })
        return (try Registry(opening: place), report.base, source)
    }

    @Test("has the weights, texts and settings of the directory it came from")
    func equal() throws {
        let world = try World()
        let (registry, base, source) = try registry(world)
        let (stored, directory) = (
            try StoredModel(registry.store, base), try SafetensorsDirectory(source)
        )
        let configuration = try ModelConfiguration(stored)
        #expect(try configuration == ModelConfiguration(directory))
        let pool = try ComputePool(threads: 2)
        let weights = try [
            Parameters(reading: stored, configuration, pool),
            Parameters(reading: directory, configuration, pool),
        ]
        #expect(Array(weights[0].buffer.values) == Array(weights[1].buffer.values))
        let messages = [ChatMessage(role: "user", content: "family: probe")]
        #expect(
            try Chat(stored, configuration: configuration).promptTokens(messages)
                == Chat(directory, configuration: configuration).promptTokens(messages))
        #expect(stored.names == directory.names)
        #expect(throws: PawlError.self) { try stored.form(of: "nonesuch") }
        #expect(try stored.file("nonesuch") == nil)
    }

    @Test("unchanged weights are written as the very files, folders included")
    func written() throws {
        let world = try World()
        let (registry, base, source) = try registry(world)
        let stored = try StoredModel(registry.store, base)
        let pool = try ComputePool(threads: 2)
        let weights = try Parameters(reading: stored, ModelConfiguration(stored), pool)
        let output = world.root.appending(path: "output")
        try ModelWriter.write(weights, like: stored, to: output, pool: pool)
        let paths = try FileManager.default.subpathsOfDirectory(atPath: source.path).sorted()
        #expect(try FileManager.default.subpathsOfDirectory(atPath: output.path).sorted() == paths)
        for path in paths where !Files.isDirectory(source.appending(path: path)) {
            #expect(
                try Files.read(output.appending(path: path)) == Files.read(source.appending(path: path)),
                "\(path)")
        }
    }

    @Test("the native engine measures a checkpoint without a copy of it, and a plug-in with one")
    func noCopy() async throws {
        let world = try World()
        let (registry, base, _) = try registry(world)
        let workflow = Workflow(registry: registry)
        _ = try await workflow.measure(base, on: registry.suites(), engine: NativeEngine.name)
        #expect(try !registry.store.cachedTrees().contains(base))
        let input = try workflow.modelInput(base, for: NativeEngine())
        #expect(throws: PawlError.self) { try JSON.canonical(input) }
        let stub = try world.workflow().engines.engine("stub")
        let copy = try workflow.modelInput(base, for: stub)
        #expect(try registry.store.cachedTrees().contains(base))
        #expect(try JSON.decode(ModelInput.self, from: JSON.canonical(copy), source: "copy") == copy)
    }
}
