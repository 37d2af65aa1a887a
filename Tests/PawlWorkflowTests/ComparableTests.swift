import Foundation
import PawlCore
import PawlEngines
import PawlGate
import Testing

@testable import PawlWorkflow

@Suite("Which scores are comparable")
struct ComparableTests {
    private func digest(_ suite: PawlGate.Suite, _ change: (inout EngineDescription) -> Void) throws -> Digest
    {
        var engine = NativeEngine.description
        change(&engine)
        return try Workflow.settingsDigest(suite, engine: engine)
    }

    @Test("those of one version, arithmetic, instruction set and number type, and of no other")
    func native() throws {
        let world = try World()
        let suite = try Suite(loading: world.root.appending(path: "general"))
        let digests = [
            try digest(suite) { _ in },
            try digest(suite) { $0.version = "99.0.0" },
            try digest(suite) { $0.arithmetic?.revision += 1 },
            try digest(suite) { $0.arithmetic?.instructions = "other" },
            try digest(suite) { $0.arithmetic?.products = "bfloat16" },
            try digest(suite) { $0.arithmetic = nil },
        ]
        #expect(Set(digests).count == digests.count)
        #expect(digests[0] == (try digest(suite) { $0.summary = "another sentence" }))
    }

    @Test("a plug-in's stored scores stay what they were before the native engine had an arithmetic")
    func plugin() throws {
        let world = try World()
        let suite = try Suite(loading: world.root.appending(path: "general"))
        let engine = EngineDescription(
            name: "trl", version: "1.0.0", summary: "", program: Digest(of: "program"),
            capabilities: EngineCapabilities(train: [], evaluate: true, resume: true))
        let settings = String(
            decoding: try JSON.canonical(Workflow.settings(of: suite)), as: UTF8.self)
        let before =
            #"{"engine":"trl","program":"\#(Digest(of: "program").hex)","settings":\#(settings),"version":"1.0.0"}"#
        #expect(try Workflow.settingsDigest(suite, engine: engine) == Digest(of: before))
    }
}
