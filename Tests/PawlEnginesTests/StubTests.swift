import Foundation
import PawlCore
import Synchronization
import Testing

@testable import PawlEngines

@Suite("The stub engine through the host")
struct StubTests {
    let shop: Workshop
    let stub: PluginEngine

    init() throws {
        shop = try Workshop()
        stub = try Fixtures.engine("stub")
    }

    @Test("describes itself as its manifest does")
    func describe() async throws {
        let description = try await stub.describe()
        #expect(description == stub.manifest.engineDescription)
        #expect(description.name == "stub" && description.program == stub.manifest.sha256)
        #expect(description.capabilities.train == ["sdft", "sft"])
    }

    @Test("trains: files are hashed, progress and transcript are kept, the input is untouched")
    func train() async throws {
        let before = try Digest(of: Files.read(Fixtures.base.get().appending(path: "model.safetensors")))
        let seen = Mutex<[PawlCore.Progress]>([])
        let result = try await stub.train(try shop.training()) { step in seen.withLock { $0.append(step) } }
        #expect(result.files.map(\.path) == ["config.json", "model.safetensors", "tokenizer_config.json"])
        let steps = seen.withLock { $0 }
        #expect(
            steps.map(\.completed) == [1, 2, 3, 4, 5]
                && steps.allSatisfy { $0.total == 5 && $0.unit == "steps" })
        #expect(steps.first?.metrics["loss"] == 1)
        #expect(result.environment["device"] == "cpu" && result.metrics["loss"]?.double == 0.1)
        let lines = try JSON.decodeLines(JSONValue.self, from: result.transcript.bytes, source: "transcript")
        #expect(lines.compactMap { $0["message"]?["type"]?.string }.first == "init")
        #expect(lines.contains { $0["from"] == "engine" && $0["message"]?["type"] == "result" })
        #expect(lines.last?["message"]?["type"] == "shutdown")
        let after = try Digest(of: Files.read(Fixtures.base.get().appending(path: "model.safetensors")))
        #expect(before == after)
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("the same request gives the same files; another seed gives others")
    func deterministic() async throws {
        let first = try await stub.train(try shop.training("a"), progress: nil)
        let again = try await stub.train(try shop.training("b"), progress: nil)
        let other = try await stub.train(try shop.training("c", recipe: ["seed": 2]), progress: nil)
        #expect(first.files == again.files)
        #expect(first.files.map(\.path) == other.files.map(\.path) && first.files != other.files)
    }

    @Test("evaluates in the request's order, repeatably, several suites in one session")
    func evaluate() async throws {
        let requests = [try shop.evaluation("capitals"), try shop.evaluation("tool-use")]
        let both = try await stub.evaluate(requests, progress: nil)
        let alone = try await stub.evaluate(requests[1], progress: nil)
        #expect(both.count == 2 && both[1].sha256 == alone.sha256 && both[1].answers == alone.answers)
        #expect(both[0].answers.map(\.id) == (0..<60).map { "capitals-\($0)" })
        #expect((38...58).contains(both[0].right.count), "quality 0.8 of 60 items")
        #expect(both[1].right.count <= 14, "quality 0.1 of 60 items")
    }

    @Test(
        "the recipe steers what a trained model can do",
        arguments: [
            (JSONValue.object([:]), 46...60, 38...58), (["skill": 0.0, "prior": 1.0], 0...0, 38...58),
            (["skill": 1.0, "prior": 0.5], 60...60, 12...36),
            (["quality": ["tool-use": 0.5, "capitals": 1.0]], 18...42, 60...60),
        ] as [(JSONValue, ClosedRange<Int>, ClosedRange<Int>)])
    func steer(stub steering: JSONValue, skill: ClosedRange<Int>, prior: ClosedRange<Int>) async throws {
        let model = try await stub.train(try shop.training(stub: steering), progress: nil).output
        let results = try await stub.evaluate(
            [try shop.evaluation("tool-use", of: model), try shop.evaluation("capitals", of: model)],
            progress: nil)
        #expect(skill.contains(results[0].right.count), "tool-use: \(results[0].right.count)")
        #expect(prior.contains(results[1].right.count), "capitals: \(results[1].right.count)")
    }

    @Test("without noise a model that forgets loses items and gains none; noise flips items both ways")
    func flips() async throws {
        let quiet = try await stub.train(try shop.training("q", stub: ["prior": 0.9]), progress: nil).output
        let noisy = try await stub.train(try shop.training("n", stub: ["noise": 0.4]), progress: nil).output
        let base = try await stub.evaluate(try shop.evaluation("capitals", count: 300), progress: nil).right
        let less = try await stub.evaluate(
            try shop.evaluation("capitals", of: quiet, count: 300), progress: nil
        ).right
        let mixed = try await stub.evaluate(
            try shop.evaluation("capitals", of: noisy, count: 300), progress: nil
        ).right
        #expect(less.isStrictSubset(of: base))
        #expect(!mixed.subtracting(base).isEmpty && !base.subtracting(mixed).isEmpty)
    }

    @Test("with a demonstration in view the model answers as a teacher")
    func teacher() async throws {
        let plain = (0..<40).map { #"{"id":"p\#($0)","prompt":"family: tool-use say: call \#($0)!"}"# }
        let taught = (0..<40).map {
            #"{"id":"p\#($0)","messages":[{"role":"user","content":"say: x"},{"role":"assistant","content":"x"},"#
                + #"{"role":"user","content":"family: tool-use say: call \#($0)!"}]}"#
        }
        var counts: [Int] = []
        for (name, lines) in [("plain", plain), ("taught", taught)] {
            var request = try shop.evaluation("tool-use")
            request.suite = try shop.file("\(name).jsonl", lines.joined(separator: "\n"))
            counts.append(try await stub.evaluate(request, progress: nil).right.count)
        }
        #expect(counts[0] <= 12 && counts[1] >= 32, "\(counts)")
    }

    @Test("a training that crashed goes on from its state to the same files")
    func resume() async throws {
        let request = try shop.training("parts", steps: 9, stub: ["crash_at_step": 5])
        let error = try await failure { try await stub.train(request, progress: nil) }
        #expect(error.code == .engine && error.message.contains("exit status 3"), "\(error)")
        #expect(!Files.exists(request.output))
        let seen = Mutex<[Int64]>([])
        let resumed = try await stub.train(request) { step in seen.withLock { $0.append(step.completed) } }
        #expect(seen.withLock { $0 } == [6, 7, 8, 9])
        let whole = try await stub.train(try shop.training("whole", steps: 9), progress: nil)
        #expect(resumed.files == whole.files)
    }

    @Test("an engine's own error carries its code and message; its stderr is quoted after a crash")
    func errors() async throws {
        let failing = try await failure {
            try await stub.train(try shop.training(stub: ["fail_at_step": 2]), progress: nil)
        }
        #expect(failing.code == .engine && failing.message.contains("(internal): failing at step 2"))
        let crashing = try await failure {
            try await stub.train(try shop.training("b", stub: ["crash_at_step": 2]), progress: nil)
        }
        #expect(
            crashing.message.contains("exit status 3")
                && crashing.hint?.contains("stub: crashing at step 2") == true)
        var request = try shop.training()
        request.demonstrations.sha256 = Digest(of: "another file")
        let refused = try await failure { try await stub.train(request, progress: nil) }
        #expect(refused.code == .invalidArgument, "\(refused)")
    }
}
