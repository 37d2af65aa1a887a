import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("External graders")
struct ExternalGraderTests {
    /// A suite of 20 items whose program is a shell script.
    private func suite(_ script: String, more: String = "", metric: String = "accuracy") throws -> Suite {
        let folder = try TemporaryFolder([
            "suite.json": suiteManifest(
                ["metric": "\"\(metric)\""], grader: #"{"kind":"external","program":"grade.sh"\#(more)}"#),
            "items.jsonl": (0..<20).map { #"{"id":"i\#($0)","prompt":"q\#($0)","target":"w\#($0)"}"# + "\n" }
                .joined(),
            "grade.sh": "#!/bin/sh\n" + script + "\n",
        ])
        return try Suite(loading: folder.url)
    }

    /// Right when the response is "yes", whatever was asked.
    private let yes = #"""
        sed -e 's/.*"id":"\([^"]*\)".*"response":"yes".*/{"id":"\1","score":1}/' \
            -e 's/.*"id":"\([^"]*\)".*"response":.*/{"id":"\1","score":0}/'
        """#

    @Test("every response gets the program's score, and the same again when it is graded once more")
    func scores() throws {
        let suite = try suite(yes)
        let evidence = try suite.evidence { $0 % 4 == 0 ? "yes" : "no" }
        #expect(evidence.score == 0.25)
        #expect(throws: Never.self) { try suite.check(evidence) }
        let forged = try Evidence(
            evidence.results.map { ItemResult(id: $0.id, item: $0.item, score: 1, response: $0.response) })
        #expect(throws: PawlError.self) { try suite.check(forged) }
        // Whoever answers without reading scores as well here, and the canary finds it.
        #expect(try Canary(suite, evidence, margin: 0.05).problem?.contains("chance") == true)
    }

    @Test("partial credit needs a program that is not binary, and the metric mean")
    func partial() throws {
        let half = #"sed -e 's/.*"id":"\([^"]*\)".*/{"id":"\1","score":0.5}/'"#
        let suite = try suite(half, more: #","binary":false"#, metric: "mean")
        #expect(try suite.evidence { _ in "x" }.score == 0.5)
        #expect(
            pawlError { _ = try self.suite(half, more: #","binary":false"#) }?.message.contains("mean")
                == true)
        let binary = try self.suite(half)
        #expect(pawlError { _ = try binary.evidence { _ in "x" } }?.message.contains("score 0.5") == true)
    }

    @Test(
        "a program that fails, is silent, repeats itself or makes numbers up gives no evidence",
        arguments: [
            ("echo broken >&2; exit 7", "status 7: broken"), ("true", "0 scores for 20"),
            (#"while read -r line; do echo '{"id":"i1","score":1}'; done"#, "twice"),
            (#"echo '{"id":"i1","score":3}'"#, "score 3"),
        ])
    func broken(script: String, message: String) throws {
        let suite = try suite(script)
        let error = pawlError { _ = try suite.evidence { _ in "x" } }
        #expect(
            error?.code == .evidenceInvalid && error?.message.contains(message) == true, "\(error as Any)")
    }

    @Test("a program that does not end is ended, with its children")
    func timeout() throws {
        let suite = try suite("sleep 600 & sleep 600", more: #","timeout_s":1"#)
        let start = ContinuousClock.now
        let error = pawlError { _ = try suite.evidence { _ in "x" } }
        #expect(error?.message.contains("not done after 1 s") == true)
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test("memory is limited", .enabled(if: Sandbox.protection.hasLimits))
    func memory() throws {
        let suite = try suite(
            "head -c 200m /dev/zero | tail -c 200m > /dev/null || exit 9", more: #","memory_mb":64"#)
        #expect(pawlError { _ = try suite.evidence { _ in "x" } }?.message.contains("status 9") == true)
    }

    @Test("there is no network, not even to itself", .enabled(if: Sandbox.protection.hasNamespaces))
    func network() throws {
        // Every interface of the machine would be listed; in a network of its own there is a loopback that is down.
        let suite = try suite("test \"$(grep -c : /proc/net/dev)\" = 1 || exit 3\n" + yes)
        #expect(try suite.evidence { _ in "yes" }.score == 1)
        #expect(Sandbox.protection.shortfall == nil || !Sandbox.protection.hasLimits)
    }

    @Test("the program's bytes are part of the suite's digest; other suites keep theirs")
    func digest() throws {
        #expect(try suite(yes).digest == suite(yes).digest)
        #expect(try suite(yes).digest != suite(yes + " ").digest)
    }
}
