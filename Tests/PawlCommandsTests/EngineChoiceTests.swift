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
        #expect(try engine(variable: "") == "native")
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
