import Foundation
import PawlCore
import Testing

@Suite("Exit statuses", .tags(.program))
struct ExitStatusTests {
    /// An error: its status, its code in JSON, and nothing on stdout.
    private func expect(
        _ code: String, _ status: Int32, _ answer: Answer, _ place: SourceLocation = #_sourceLocation
    ) throws {
        #expect(answer.status == status, "\(answer.error)", sourceLocation: place)
        #expect(answer.output.isEmpty, sourceLocation: place)
        let error = try answer.errorJSON["error"]
        #expect(error?["code"]?.string == code, "\(answer.error)", sourceLocation: place)
    }

    @Test("0: a command that does what it was asked, an accepted skill")
    func done() throws {
        let place = try Place()
        #expect(try place.pawl("version").status == 0)
        #expect(try place.pawl("verify").status == 0)
        let answer = try place.start(
            ["register", "beta", "--json"] + Content.steering(["skill": 0.95])
        ).wait()
        #expect(answer.status == 0, "\(answer.error)")
        #expect(try answer.json["verdict"]?["decision"]?.string == "accept")
        #expect(try place.main == answer.json["candidate"]?.string)
    }

    @Test("1: no such checkpoint, skill or suite")
    func notFound() throws {
        let place = try Place()
        try expect("not_found", 1, try place.pawl("show", "nonesuch", "--json"))
        try expect("not_found", 1, try place.pawl("register", "nonesuch", "--json"))
        try expect("not_found", 1, try place.pawl("eval", "--suite", "nonesuch", "--json"))
        try expect("not_found", 1, try place.pawl("register", "--resume", "--json"))
        try expect("already_exists", 1, try place.pawl("init", "--base", Place.base.path, "--json"))
    }

    @Test("3 and 4: a rejected and an inconclusive skill")
    func verdicts() throws {
        let place = try Place()
        let main = try place.main
        let rejected = try place.start(
            ["register", "beta", "--json", "--set", "seed=2"]
                + Content.steering(["skill": 0.95, "prior": 0.3])
        ).wait()
        #expect(rejected.status == 3, "\(rejected.error)")
        let undecided = try place.start(
            ["register", "beta", "--json", "--force", "--set", "seed=3"]
                + Content.steering(["skill": 0.95, "prior": 0.9])
        ).wait()
        #expect(undecided.status == 4, "\(undecided.error)")
        #expect(try place.main == main)
    }

    @Test("5: an engine whose program is not the one that its manifest names")
    func evidenceInvalid() throws {
        let place = try Place()
        let engine = place.registry.appending(path: "plugins/engines/changed")
        try Files.createDirectory(engine.deletingLastPathComponent())
        try FileManager.default.copyItem(at: Checkout.stub, to: engine)
        let manifest = engine.appending(path: "engine.json")
        let text = try String(contentsOf: manifest, encoding: .utf8)
        try Content.write(
            text.replacing(#""name": "stub""#, with: #""name": "changed""#), manifest)
        let program = engine.appending(path: "stub.py")
        let source = try String(contentsOf: program, encoding: .utf8)
        try Content.write(source + "\n# changed\n", program)
        try expect(
            "evidence_invalid", 5, try place.pawl("engine", "describe", "changed", "--json"))
        try expect(
            "evidence_invalid", 5,
            try place.pawl("register", "beta", "--engine", "changed", "--json"))
    }

    @Test("6: a promotion that the verdict does not allow")
    func conflict() throws {
        let place = try Place()
        try expect("conflict", 6, try place.pawl("promote", place.rejected, "--json"))
    }

    @Test("10: no registry")
    func noRegistry() throws {
        let place = try Place(empty: true)
        for command in [["status"], ["skills"], ["log"], ["register", "alpha"], ["verify"]] {
            try expect("no_registry", 10, try place.start(command + ["--json"]).wait())
        }
    }

    @Test("11: another registration runs, and the error says which process does what")
    func locked() throws {
        let place = try Place()
        let first = try place.start(
            ["register", "beta", "--set", "steps=40"]
                + Content.steering(["skill": 0.95, "delay_ms": 100]))
        first.waitForLine("train")
        let second = try place.pawl("register", "beta", "--json")
        try expect("locked", 11, second)
        let message = try second.errorJSON["error"]?["message"]?.string ?? ""
        #expect(message.contains("register beta"))
        #expect(message.contains(":\(first.process.processIdentifier):"))
        // Reading goes on meanwhile.
        #expect(try place.pawl("skills").status == 0)
        #expect(try place.pawl("status").output.contains("running      register beta"))
        #expect(try first.wait().status == 0)
    }

    @Test("12: a damaged object, found by verify and by whoever needs it")
    func corrupt() throws {
        let place = try Place()
        let main = try place.main
        let object = place.registry.appending(path: "objects/\(main.prefix(2))/\(main)")
        var bytes = try Files.read(object)
        bytes[bytes.count / 2] ^= 1
        try Files.writeAtomically(bytes, to: object)
        let verify = try place.pawl("verify", "--json")
        #expect(verify.status == 12)
        let damage = try verify.json["damage"]?.array ?? []
        #expect(damage.first?["trees"]?.array?.first?.string == main)
        try expect(
            "corrupt", 12,
            try place.pawl("export", "main", place.root.appending(path: "out").path, "--json"))
        let text = try place.pawl("verify")
        #expect(text.status == 12)
        #expect(text.output.contains("needed by: checkpoint \(main.prefix(12))"))
    }

    @Test("12: a lost manifest and a lost object; what nobody ever had is 1")
    func lost() throws {
        let place = try Place()
        let out = place.root.appending(path: "out").path
        let main = try place.main
        let manifest = place.registry.appending(path: "objects/\(main.prefix(2))/\(main)")
        let bytes = try Files.read(manifest)
        try Files.remove(manifest)
        try expect("corrupt", 12, try place.pawl("export", "main", out, "--json"))
        try Files.writeAtomically(bytes, to: manifest)
        let tensors = place.registry.appending(path: "objects")
        for folder in try FileManager.default.contentsOfDirectory(atPath: tensors.path) {
            for name in try FileManager.default.contentsOfDirectory(
                atPath: tensors.appending(path: folder).path)
            {
                let object = tensors.appending(path: "\(folder)/\(name)")
                if try Files.read(object).starts(with: Array("PAWLTNSR".utf8)) { try Files.remove(object) }
            }
        }
        try expect("corrupt", 12, try place.pawl("export", "main", out, "--json"))
        try expect("not_found", 1, try place.pawl("export", "nonesuch", out, "--json"))
    }

    @Test("64: a wrong command line, also with --json")
    func usage() throws {
        let place = try Place()
        #expect(try place.pawl("nonesuch").status == 64)
        #expect(try place.pawl("register").status == 64)
        #expect(try place.pawl("skills", "--nonesuch").status == 64)
        #expect(try place.pawl("verify", "--into", "x.db").status == 64)
        #expect(try place.pawl("rollback", "--to", "main", "--skill", "alpha").status == 64)
        try expect("usage", 64, try place.pawl("register", "beta", "--set", "steps", "--json"))
        try expect("usage", 64, try place.pawl("rollback", "--to", place.rejected, "--yes", "--json"))
        try expect("usage", 64, try place.pawl("rollback", "--json"))
    }

    @Test(
        "130: interrupted by SIGINT, a registration stops its engine and can be resumed to the same candidate"
    )
    func interrupted() throws {
        let place = try Place()
        let recipe = ["--set", "steps=30"] + Content.steering(["skill": 0.95, "delay_ms": 60])
        let running = try place.start(["register", "beta", "--json"] + recipe)
        running.waitForLine("train")
        Thread.sleep(forTimeInterval: 0.4)
        running.interrupt()
        let answer = try running.wait()
        try expect("cancelled", 130, answer)
        #expect(answer.output.isEmpty)
        let unfinished = try place.pawl("status", "--json").json["unfinished"]?.array ?? []
        #expect(unfinished.first?["phase"]?.string == "train")
        #expect(try place.pawl("verify").status == 0)
        let resumed = try place.pawl("register", "--resume", "--json")
        #expect(resumed.status == 0, "\(resumed.error)")
        let undisturbed = try Place()
        let expected = try undisturbed.start(["register", "beta", "--json"] + recipe).wait()
        #expect(try resumed.json["candidate"] == expected.json["candidate"])
    }
}
