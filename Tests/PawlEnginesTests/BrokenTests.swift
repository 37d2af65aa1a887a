import Foundation
import PawlCore
import Testing

@testable import PawlEngines

@Suite("Engines with a fault")
struct BrokenTests {
    /// A fault, what is asked of the engine, and words that the error must have.
    struct Case: CustomTestStringConvertible, Sendable {
        var fault: String
        var evaluates = false
        var words: [String]
        var testDescription: String { fault + (evaluates ? ", evaluate" : "") }

        init(_ fault: String, evaluates: Bool = false, _ words: String...) {
            self.fault = fault
            self.evaluates = evaluates
            self.words = words
        }
    }

    static let cases = [
        Case("garbage-on-stdout", "is not JSON", "\"Loading checkpoint shards: 100%|####| 2/2\""),
        Case("garbage-on-stdout", evaluates: true, "is not JSON", "Loading checkpoint shards"),
        Case("partial-line", "middle of a line", #"{"type":"result","id":"1","out"#),
        Case("no-heartbeat", "sent nothing for 1 s during train"),
        Case("wrong-digest", "model.safetensors has the SHA-256", String(repeating: "0", count: 64)),
        Case("wrong-digest", evaluates: true, "items-1.jsonl has the SHA-256"),
        Case("early-exit", "exit status 7", "during train", "MemoryError: tried to be a large model"),
        Case("extra-file", "holds runs/events.log, which the result does not list"),
        Case("symbolic-link", "config.json is a symbolic link"),
        Case("wrong-protocol-version", "speaks protocol \"2\"", "this Pawl speaks 1"),
        Case("oversized-line", "longer than 1048576 bytes", #"{"type": "result""#),
        Case("duplicate-item", evaluates: true, "line 60: a second answer to the item \"capitals-0\""),
        Case("exit-status", "ended with exit status 4 after its answer"),
    ]

    @Test("the host says what was wrong, keeps nothing and leaves no process", arguments: cases)
    func report(_ test: Case) async throws {
        let shop = try Workshop()
        let engine = try Fixtures.engine("broken-\(test.fault)") { limits in
            if test.fault == "no-heartbeat" { limits.heartbeat = .seconds(1) }
        }
        let error = try await failure {
            if test.evaluates {
                _ = try await engine.evaluate(try shop.evaluation("capitals"), progress: nil)
            } else {
                _ = try await engine.train(try shop.training(), progress: nil)
            }
        }
        for word in test.words { #expect("\(error)".contains(word), "\(error)") }
        #expect(error.message.contains("broken-\(test.fault)"))
        #expect(error.code == (test.fault == "no-heartbeat" ? .timedOut : .engine))
        #expect(try await shop.orphans().isEmpty)
    }

    @Test("an engine deaf to cancel and SIGTERM is killed with its helper")
    func ignoresCancel() async throws {
        let shop = try Workshop()
        let engine = try Fixtures.engine("broken-ignores-cancel") { $0.cancel = .milliseconds(300) }
        let request = try shop.training(steps: 10_000, stub: ["delay_ms": 20])
        let (started, signal) = AsyncStream.makeStream(of: Void.self)
        let training = Task { try await engine.train(request) { _ in signal.yield() } }
        for await _ in started { break }
        #expect(shop.processes.count >= 2, "the engine and its helper")
        let clock = ContinuousClock()
        let time = try await clock.measure {
            training.cancel()
            let error = try await failure { try await training.value }
            #expect(error.code == .cancelled, "\(error)")
        }
        // Its ten thousand steps would take minutes; on a busy machine the second process takes seconds to end.
        #expect(time < .seconds(60))
        #expect(try await shop.orphans().isEmpty)
    }

    @Test(
        "the conformance suite finds the fault",
        arguments: [
            ("garbage-on-stdout", "one-session"), ("partial-line", "train"), ("no-heartbeat", "progress"),
            ("wrong-digest", "train"), ("wrong-digest", "evaluate"), ("early-exit", "evaluate"),
            ("ignores-cancel", "cancel"), ("ignores-cancel", "end-of-input"), ("extra-file", "train"),
            ("symbolic-link", "train"), ("wrong-protocol-version", "handshake"),
            ("oversized-line", "evaluate"),
            ("duplicate-item", "evaluate"), ("exit-status", "shutdown"),
        ])
    func conformance(fault: String, check: String) async throws {
        let engine = try Fixtures.engine("broken-\(fault)") { limits in
            limits.heartbeat = .seconds(1)
            limits.cancel = .milliseconds(500)
            limits.shutdown = .seconds(2)
            if fault == "ignores-cancel" { limits.shutdown = .milliseconds(300) }
        }
        let report = try await Conformance(engine: engine, probe: EngineProbe(model: Fixtures.base.get()))
            .run(only: [check])
        #expect(report.checks.map(\.outcome) == [.failed])
        #expect(report.checks.first?.reason?.contains("broken-\(fault)") == true, "\(report)")
        #expect(!report.passed)
    }
}
