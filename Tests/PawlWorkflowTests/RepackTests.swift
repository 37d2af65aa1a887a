import Foundation
import PawlCore
import PawlRegistry
import PawlStore
import Testing

@testable import PawlWorkflow

@Suite("Repacking a registry")
struct RepackWorkflowTests {
    /// What the manifest of a checkpoint says of how it was written.
    private func level(_ checkpoint: Digest, _ registry: Registry) throws -> String? {
        let document = try registry.checkpoint(checkpoint).manifest
        let manifest = try JSON.decode(
            CheckpointManifest.self, from: registry.store.document(document), source: "manifest")
        return manifest.details?["encoding_level"]?.string
    }

    @Test("the level is kept with every checkpoint, and repacking changes no name and nothing in the journal")
    func levels() async throws {
        let world = try World()
        let workflow = world.workflow()
        let other = world.root.appending(path: "other")
        try World.makeModel(other, ["*=0.8", "general=0.97"])
        let imported = try workflow.importCheckpoint(
            other, parent: world.base, note: nil, level: .fastReading
        ).checkpoint
        var options = world.options(.accept)
        options.level = .smallest
        let trained = try await workflow.register(world.skill("alpha"), options: options).candidate
        #expect(try level(world.base, world.registry) == "default")
        #expect(try level(imported, world.registry) == "fast-read")
        #expect(try level(trained, world.registry) == "smallest")

        let (journal, main) = (try world.journal, try world.registry.main())
        let report = try await workflow.repack(level: .smallest)
        #expect(report.trees == 3)
        #expect(report.unreadable.isEmpty)
        #expect(report.bytesNow <= report.bytesBefore)
        #expect(try await workflow.repack(level: .smallest).finishedBefore == report.tensors)
        #expect(try world.journal == journal && world.registry.main() == main)
        try world.expectSound()
    }

    @Test("a cancelled task stops it with an error that says how to go on")
    func cancelled() async throws {
        let world = try World()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await world.workflow().repack(level: .smallest)
        }
        let error = await #expect(throws: PawlError.self) { try await task.value }
        #expect(error?.code == .cancelled && error?.hint?.contains("pawl repack") == true)
        try world.expectSound()
        #expect(try await world.workflow().repack(level: .smallest).finishedBefore == 0)
    }
}
