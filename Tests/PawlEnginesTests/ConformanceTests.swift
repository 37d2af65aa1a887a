import PawlCore
import Synchronization
import Testing

@testable import PawlEngines

@Suite("Conformance suite")
struct ConformanceTests {
    @Test("the stub passes every check")
    func stub() async throws {
        let seen = Mutex<[String]>([])
        let report = try await Conformance(
            engine: Fixtures.engine("stub"), probe: EngineProbe(model: Fixtures.base.get())
        ).run { check in seen.withLock { $0.append(check.name) } }
        for check in report.checks {
            #expect(check.outcome == .passed, "\(check.name): \(check.reason ?? "")")
        }
        #expect(report.passed && report.checks.map(\.name) == Conformance.names)
        #expect(seen.withLock { $0 } == Conformance.names)
    }

    @Test("an unknown check is an error that lists the known ones")
    func unknownCheck() async throws {
        let suite = Conformance(
            engine: try Fixtures.engine("stub"), probe: EngineProbe(model: try Fixtures.base.get()))
        let error = try await failure { try await suite.run(only: ["handshakes"]) }
        #expect(error.hint?.contains("handshake, ") == true)
    }

    @Test("the probe's built-in files are well formed")
    func probe() throws {
        let probe = EngineProbe(model: try Fixtures.base.get())
        let records = try JSON.decodeLines(JSONValue.self, from: probe.records, source: "records")
        #expect(
            records.map { $0["role"]?.string } == [
                "skill", "skill", "skill", "skill", "rehearsal", "rehearsal",
            ])
        #expect(
            records.allSatisfy {
                $0["prompt"]?.array?.isEmpty == false && $0["teacher"]?.array?.isEmpty == false
            })
        let items = try JSON.decodeLines(JSONValue.self, from: probe.items, source: "items")
        #expect(items.count == 6 && items.filter { $0["choices"] != nil }.count == 2)
    }
}
