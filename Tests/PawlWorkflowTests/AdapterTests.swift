import Foundation
import PawlCore
import PawlGate
import PawlModel
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("Low-rank updates become checkpoints", .tags(.register))
struct AdapterTests {
    private static let recipe: [String: JSONValue] = [
        "update": "low_rank", "rank": 2, "alpha": 4, "learning_rate": 0.5,
    ]

    /// The dense model, as the numbers of its one adapted matrix.
    private static func matrix(_ world: World, _ checkpoint: Digest) throws -> [UInt8] {
        let model = try StoredModel(world.registry.store, checkpoint)
        var bytes: [UInt8] = []
        try model.read("model.layers.0.mlp.weight") { _, _, numbers in bytes = Array(numbers) }
        return bytes
    }

    @Test(
        "a registration's adapter is folded into the parent, stored as its factors, and its provenance says so"
    )
    func registration() async throws {
        let world = try World()
        let options = RegisterOptions(engine: "stub", recipe: Self.recipe)
        let report = try await world.workflow().register(world.skill("alpha"), options: options)
        // The stub's adapter learns nothing: what matters here is what became of it.
        #expect(report.verdict.decision != .accept)
        let store = world.registry.store
        let tree = try store.tree(report.candidate)
        #expect(try tree.entries.map(\.path) == store.tree(world.base).entries.map(\.path))
        #expect(try Self.matrix(world, report.candidate) != Self.matrix(world, world.base))
        let record = try world.registry.checkpoint(report.candidate)
        #expect(record.recipe?["update"] == "low_rank" && record.recipe?["rank"] == 2)
        let use = try store.use(of: [world.base, report.candidate]).trees[1]
        #expect(use.payloadBytes["full", default: 0] + use.payloadBytes["raw", default: 0] <= 2 * 2 * 32 * 4)
        #expect(use.payloadBytes["folded"] == 0)
        try world.expectSound()
    }

    private static func manifest(_ world: World, _ checkpoint: Digest) throws -> CheckpointManifest {
        let document = try world.registry.checkpoint(checkpoint).manifest
        return try JSON.decode(
            CheckpointManifest.self, from: world.registry.store.document(document), source: "manifest")
    }

    /// An adapter of the stub's matrix [32, 32], rank 2, with one number in all of B.
    private static func write(_ place: URL, b: Float) throws {
        try Files.createDirectory(place)
        try Files.writeAtomically(
            Array(#"{"peft_type":"LORA","r":2,"lora_alpha":4}"#.utf8),
            to: place.appending(path: "adapter_config.json"))
        let numbers = (0..<64).map { Float($0) / 64 } + [Float](repeating: b, count: 64)
        let name = "base_model.model.model.layers.0.mlp"
        let header: JSONValue = .object([
            "\(name).lora_A.weight": ["dtype": "F32", "shape": [2, 32], "data_offsets": [0, 256]],
            "\(name).lora_B.weight": ["dtype": "F32", "shape": [32, 2], "data_offsets": [256, 512]],
        ])
        let text = try JSON.canonical(header)
        try Files.writeAtomically(
            withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
                + numbers.withUnsafeBytes { Array($0) },
            to: place.appending(path: "adapter_model.safetensors"))
    }

    @Test("an adapter that was trained elsewhere becomes a candidate, its one matrix changed")
    func importing() throws {
        let world = try World()
        let adapter = world.root.appending(path: "adapter")
        try Self.write(adapter, b: 0.5)
        let workflow = world.workflow()
        let imported = try workflow.importAdapter(adapter, parent: world.base, note: "from afar")
        #expect(imported.parent == world.base && imported.storedBytes < 8000)
        let record = try Self.manifest(world, imported.checkpoint)
        #expect(record.details?["adapter"]?["rank"] == 2 && record.details?["note"] == "from afar")
        let difference = try world.registry.store.compare(world.base, imported.checkpoint)
        #expect(difference.tensors.map(\.name) == ["model.layers.0.mlp.weight"] && difference.files.isEmpty)
        // A second one on the first is another candidate.
        let second = try workflow.importAdapter(adapter, parent: imported.checkpoint, note: nil)
        #expect(second.checkpoint != imported.checkpoint)
        try world.expectSound()
    }

    @Test("what is no adapter, does not fit, or changes nothing is refused, and nothing is recorded")
    func refusals() async throws {
        let world = try World()
        let workflow = world.workflow()
        let place = world.root.appending(path: "adapter")
        func refusal() async throws -> PawlError {
            try await failure { try workflow.importAdapter(place, parent: world.base, note: nil) }
        }
        try Files.createDirectory(place)
        var error = try await refusal()
        #expect(error.code == .invalidArgument && error.message.contains("holds no adapter_config.json"))
        try Self.write(place, b: 0)
        error = try await refusal()
        #expect(error.message.contains("nothing differs from the parent"))
        let config = place.appending(path: "adapter_config.json")
        try Files.writeAtomically(Array(#"{"peft_type":"LORA","r":3,"lora_alpha":4}"#.utf8), to: config)
        error = try await refusal()
        #expect(error.code == .invalidArgument && error.message.contains("has the shape [2, 32], but r is 3"))
        #expect(try !world.journal.contains(.candidate))
        try world.expectSound()
    }
}
