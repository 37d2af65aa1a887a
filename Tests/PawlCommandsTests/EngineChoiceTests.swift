import Foundation
import PawlCore
import Testing

@Suite("Which engine works", .tags(.program))
struct EngineChoiceTests {
    @Test("--engine, else PAWL_ENGINE, else the native one")
    func order() throws {
        let place = try Place()
        func engine(_ arguments: String..., variable: String) throws -> String? {
            let answer = try place.start(
                ["register", "beta", "--dry-run", "--json"] + arguments,
                environment: ["PAWL_ENGINE": variable]
            ).wait()
            return answer.status == 0 ? try answer.json["engine"]?.string : answer.error
        }
        #expect(try engine("--engine", "stub", variable: "nonesuch") == "stub")
        #expect(try engine(variable: "stub") == "stub")
        #expect(try engine(variable: "nonesuch")?.contains("nonesuch") == true)
        // What the stub trains is no model to the native engine, which alone reads it.
        #expect(try engine(variable: "")?.contains("field model_type") == true)
    }

    @Test("a registration goes on with the engine that it began with, whatever the default is now")
    func resumed() throws {
        let place = try Place()
        let recipe = ["--set", "steps=30"] + Content.steering(["skill": 0.95, "delay_ms": 60])
        let running = try place.start(["register", "beta", "--json"] + recipe)
        running.waitForLine("train")
        running.interrupt()
        #expect(try running.wait().status == 130)
        let answer = try place.pawl("register", "--resume", "--json", environment: ["PAWL_ENGINE": ""])
        #expect(answer.status == 0, "\(answer.error)")
        #expect(try place.main == answer.json["candidate"]?.string)
    }
}

@Suite("The native engine through the program", .tags(.program))
struct NativeProgramTests {
    /// A registry whose base is the tiny model that ships, with changes to its config.json.
    private func place(_ changes: [String: JSONValue] = [:]) throws -> Place {
        let place = try Place(empty: true)
        let base = place.root.appending(path: "base")
        let model = Checkout.root.appending(path: "registry/engines/conformance/model")
        try FileManager.default.copyItem(at: model, to: base)
        let config = base.appending(path: "config.json")
        let members = try #require(try JSON.parse(Files.read(config), source: "config.json").object)
        try Files.writeAtomically(
            JSON.canonical(JSONValue.object(members.merging(changes) { $1 })), to: config)
        let made = try place.pawl("init", "--base", base.path, "--suite", "general")
        try #require(made.status == 0, "\(made.error)")
        return place
    }

    @Test("--dry-run estimates every phase and records nothing")
    func estimate() throws {
        let place = try place()
        let before = try place.fingerprint
        let answer = try place.pawl("register", "alpha", "--dry-run", "--engine", "native", "--json")
        #expect(answer.status == 0, "\(answer.error)")
        let phases = try answer.json["estimate"]?["phases"]?.array ?? []
        #expect(phases.compactMap { $0["phase"]?.string } == ["probe", "baseline", "train", "evaluate"])
        let text = try place.pawl("register", "alpha", "--dry-run", "--engine", "native").output
        #expect(text.contains("together") && text.contains("GFLOP/s") && text.contains("memory about"))
        #expect(try place.fingerprint == before)
    }

    @Test("a plug-in's preview says that it cannot tell")
    func plugin() throws {
        let place = try Place()
        let answer = try place.pawl("register", "beta", "--dry-run")
        #expect(answer.status == 0 && answer.output.contains("this engine cannot tell"))
    }

    @Test(
        "what does not fit in memory: status 1 and the figures, with --dry-run and without, and nothing recorded"
    )
    func tooLarge() throws {
        let place = try place(["hidden_size": 65_536, "intermediate_size": 262_144])
        let before = try place.fingerprint
        for arguments in [["--dry-run"], []] {
            let answer = try place.start(["register", "alpha", "--engine", "native"] + arguments).wait()
            #expect(answer.status == 1)
            #expect(answer.error.contains("MB of memory, this machine has"), "\(answer.error)")
            #expect(answer.output.isEmpty)
            #expect(try place.fingerprint == before)
        }
    }

    @Test("generate prints the answer that --json has, from an argument and from standard input")
    func generate() throws {
        let place = try place()
        let arguments = ["--max-tokens", "12", "--temperature", "1", "--seed", "2"]
        let json = try place.start(["generate", "family: probe", "--json"] + arguments).wait()
        #expect(json.status == 0, "\(json.error)")
        let text = try #require(try json.json["text"]?.string)
        let tokens = try #require(try json.json["tokens"]?.array)
        #expect(!tokens.isEmpty && tokens.count <= 12)
        #expect(try json.json["checkpoint"]?.string == place.main)
        let plain = try place.start(["generate", "family: probe"] + arguments).wait()
        #expect(plain.output == text + "\n")
        let file = place.root.appending(path: "prompt.txt")
        try Content.write("family: probe\n", file)
        let shell = URL(filePath: "/bin/sh")
        let line = "'\(Checkout.pawl.path)' generate \(arguments.joined(separator: " ")) <'\(file.path)'"
        let piped = try place.run(shell, ["-c", line])
        #expect(piped.output == plain.output && piped.status == 0, "\(piped.error)")
        #expect(!Files.exists(place.registry.appending(path: "cache/\(try place.main)")))
    }

    @Test("generate without a prompt, and with numbers that mean nothing, is a mistake of usage")
    func usage() throws {
        let place = try place()
        #expect(try place.pawl("generate", "--json").status == 64)
        for option in [["--temperature=-1"], ["--top-p", "0"], ["--top-k=-1"], ["--max-tokens", "0"]] {
            #expect(try place.start(["generate", "a"] + option).wait().status == 64)
        }
        #expect(try place.pawl("generate", "a", "--max-tokens", "4096").status == 1)
    }
}
