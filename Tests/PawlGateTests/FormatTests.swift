import Foundation
import PawlCore
import Testing

@testable import PawlGate

@Suite("Files that are read")
struct FormatTests {
    @Test("A suite takes its defaults, and its digest names manifest and items, not their layout")
    func suiteDefaults() throws {
        let items = #"{"id":"a","prompt":"q","target":"x"}"#
        let one = try suite(items: [items])
        #expect(one.manifest.decoding == Decoding())
        #expect(one.manifest.family == "capitals")
        #expect(one.manifest.margin == .fraction(0.05))
        let spread = try Suite(
            manifest: Array(suiteManifest().replacing("\n", with: "\n   ").utf8),
            items: Array((items + "\n").utf8))
        #expect(spread.digest == one.digest)
        #expect(try suite(members: ["margin": "\"auto\""], items: [items]).digest != one.digest)
        #expect(try suite(items: [items.replacing("\"x\"", with: "\"y\"")]).digest != one.digest)
        #expect(try suite(members: ["margin": "\"auto\""], items: [items]).manifest.margin == .automatic)
        #expect(try PawlGateTests.suite(count: 10, metric: "mean") { $0 < 8 ? "p\($0 / 4)" : nil }.units == 4)
        #expect(try PawlGateTests.suite(count: 10) { "p\($0 / 4)" }.units == 10)
        #expect(
            try JSON.decode(SuiteManifest.self, from: JSON.canonical(one.manifest), source: "again")
                == one.manifest)
    }

    @Test("An item's content digest names content, not id or cluster")
    func itemDigest() throws {
        func digest(_ item: String) throws -> Digest {
            try #require(try suite(grader: #"{"kind":"regex","pattern":"."}"#, items: [item]).items.first)
                .digest
        }
        let base = try digest(#"{"id":"a","prompt":"q","target":"x"}"#)
        #expect(try digest(#"{"cluster":"k","id":"b","prompt":"q","targets":["x"]}"#) == base)
        #expect(try digest(#"{"id":"a","prompt":"q","target":"y"}"#) != base)
        #expect(try digest(#"{"id":"a","prompt":"r","target":"x"}"#) != base)
        #expect(try digest(#"{"id":"a","prompt":"q"}"#) != base)
    }

    @Test("Requests hold what an engine may see, and no target")
    func requests() throws {
        let chat = try suite(
            grader: #"{"kind":"multiple_choice"}"#,
            items: [#"{"id":"a","prompt":"q","choices":["x","y"],"answer":1,"cluster":"k"}"#])
        #expect(
            String(decoding: try chat.requests(), as: UTF8.self)
                == #"{"choices":["x","y"],"id":"a","messages":[{"content":"q","role":"user"}]}"# + "\n")
        let raw = try suite(
            members: ["decoding": #"{"template":"raw"}"#], items: [#"{"id":"a","prompt":"q/","target":"x"}"#])
        #expect(String(decoding: try raw.requests(), as: UTF8.self) == #"{"id":"a","prompt":"q/"}"# + "\n")
        let messages = #"{"id":"a","messages":[{"role":"user","content":"q"}],"target":"x"}"#
        let error = pawlError {
            _ = try suite(members: ["decoding": #"{"template":"raw"}"#], items: [messages])
        }
        #expect(error?.message.contains("the suite's template is raw") == true)
    }

    @Test("Both conventions of demonstrations become one, and other columns are ignored")
    func demonstrations() throws {
        let text = #"""
            {"prompt":"q","completion":"r","source":"somewhere"}
            {"id":"two","messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"r"}],"document":"d"}
            """#
        let read = try Demonstration.read(Array(text.utf8), source: "d.jsonl")
        #expect(
            read == [
                Demonstration(id: "line-1", messages: [Message(.user, "q")], completion: "r"),
                Demonstration(
                    id: "two", messages: [Message(.system, "s"), Message(.user, "q")], completion: "r",
                    document: "d"),
            ])
        #expect(try Demonstration.read(JSON.canonicalLines(read), source: "again") == read)
    }

    @Test("A skill folder is read whole, with the recipe completed")
    func skill() throws {
        let folder = try TemporaryFolder([
            "skill.json": skillManifest(
                #""teacher":{"contexts":[{"kind":"few_shot","shots":1,"own_demonstration":true},{"kind":"demonstration"}]},"recipe":{"steps":4}"#
            ),
            "demonstrations.jsonl":
                "{\"prompt\":\"q\",\"completion\":\"r\"}\n{\"prompt\":\"s\",\"completion\":\"t\"}",
            "suite.json": suiteManifest(), "items.jsonl": #"{"id":"a","prompt":"q","target":"x"}"#,
        ])
        let skill = try SkillFolder(loading: folder.url)
        #expect(skill.demonstrations.count == 2)
        #expect(skill.suite.name == "capitals")
        #expect(skill.manifest.contexts.map(\.kind) == ["few_shot", "demonstration"])
        #expect(skill.manifest.recipe.steps == 4 && skill.manifest.recipe.warmupSteps == 4)
        #expect(
            try JSON.decode(SkillManifest.self, from: JSON.canonical(skill.manifest), source: "again")
                == skill.manifest)
    }

    @Test("A recipe has the defaults of the formats, in both directions")
    func recipe() throws {
        let text = #"""
            {"method":"sdft","steps":80,"prompts_per_step":16,"rehearsal_share":0.375,"learning_rate":2e-5,"warmup_steps":8,
             "schedule":"cosine","weight_decay":0.0,"max_gradient_norm":1.0,"divergence":"forward_kl","top_k":0,"temperature":1.0,
             "on_policy_fraction":1.0,"max_completion_tokens":64,"skip_tokens":3,"teacher_weights":"frozen","ema_rate":0.01,"micro_batch":16,
             "precision":"bfloat16","seed":1,"save_every":10,"max_context_tokens":1024,
             "update":"full","rank":16,"alpha":32.0,"modules":[],"engine_options":{}}
            """#
        let complete = try JSON.decode(Recipe.self, from: Array(text.utf8), source: "recipe")
        #expect(complete == Recipe())
        #expect(try JSON.decode(Recipe.self, from: Array("{}".utf8), source: "recipe") == Recipe())
        #expect(
            try JSON.canonical(Recipe())
                == JSON.canonical(JSON.parse(Array(text.utf8), source: "recipe")))
        #expect(Set(Recipe.keys).count == 27)
        var changed = Recipe()
        changed.method = .sft
        changed.divergence = .jsd
        changed.learningRate = 1e-6
        changed.engineOptions = ["deepspeed": ["stage": 2]]
        #expect(try JSON.decode(Recipe.self, from: JSON.canonical(changed), source: "recipe") == changed)
        changed.update = .lowRank
        changed.rank = 8
        changed.alpha = 12.5
        changed.modules = ["q_proj", "v_proj"]
        #expect(try JSON.decode(Recipe.self, from: JSON.canonical(changed), source: "recipe") == changed)
        for (bad, reason) in [
            (#"{"update":"lora"}"#, "\"lora\" is not one of full, low_rank"),
            (#"{"rank":0}"#, "0 is less than 1"),
            (#"{"alpha":0}"#, "0.0 is not above 0"),
            (#"{"modules":["q_proj","q_proj"]}"#, "stands in it twice"),
            (#"{"modules":[""]}"#, "a name is empty"),
        ] {
            let error = pawlError {
                _ = try JSON.decode(Recipe.self, from: Array(bad.utf8), source: "recipe")
            }
            #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        }
        changed.learningRate = .nan
        #expect(
            pawlError { try changed.validate() }?.message.contains("recipe, field learning_rate: nan") == true
        )
    }

    @Test("A rehearsal set is read with prompts of both kinds")
    func rehearsal() throws {
        let folder = try TemporaryFolder([
            "rehearsal.json": #"{"name":"general","version":"1.0.0","prompts":"p.jsonl"}"#,
            "p.jsonl":
                "{\"id\":\"a\",\"prompt\":\"q\"}\n{\"id\":\"b\",\"messages\":[{\"role\":\"user\",\"content\":\"r\"}],\"x\":1}",
        ])
        let set = try RehearsalSet(loading: folder.url)
        #expect(set.prompts.map(\.messages) == [[Message(.user, "q")], [Message(.user, "r")]])
    }
}

@Suite("What ships in registry/")
struct ShippedContentTests {
    private static let registry = (0..<3).reduce(URL(filePath: #filePath)) { url, _ in
        url.deletingLastPathComponent()
    }
    .appending(path: "registry")

    private static func folders(_ kind: String) -> [URL] {
        let folder = registry.appending(path: kind)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().map { folder.appending(path: $0) }
    }

    @Test("Every skill loads, and its name is its folder's", arguments: folders("skills"))
    func skill(_ folder: URL) throws {
        #expect(try SkillFolder(loading: folder).manifest.name == folder.lastPathComponent)
    }

    @Test("Every suite loads, and its name is its folder's", arguments: folders("suites"))
    func suite(_ folder: URL) throws {
        #expect(try PawlGate.Suite(loading: folder).name == folder.lastPathComponent)
    }

    @Test("Every rehearsal set loads, and its name is its folder's", arguments: folders("rehearsal"))
    func rehearsal(_ folder: URL) throws {
        #expect(try RehearsalSet(loading: folder).name == folder.lastPathComponent)
    }
}

@Suite("What the teacher sees")
struct TeacherContextTests {
    private let records = ["a", "b", "c", "d"].map {
        Demonstration(
            id: $0, messages: [Message(.system, "s"), Message(.user, "q \($0)")], completion: "r \($0)",
            document: "doc \($0)")
    }

    @Test("The official template is the last user turn, word for word")
    func official() throws {
        let messages = try TeacherContext.demonstration(template: TeacherContext.officialTemplate)
            .messages(for: records[0], among: records)
        #expect(
            messages == [
                Message(.system, "s"),
                Message(
                    .user,
                    "\nq a\n\nThis is an example for a response to the question:\nr a\n\n"
                        + "Now answer with a response of your own, including the thinking process.\n"),
            ])
    }

    @Test("Values are not searched for placeholders")
    func placeholders() throws {
        let record = Demonstration(
            id: "x", messages: [Message(.user, "{demonstration} {x}")], completion: "{prompt}")
        let messages = try TeacherContext.demonstration(template: "{prompt}|{demonstration}|{other}")
            .messages(for: record, among: [])
        #expect(messages == [Message(.user, "{demonstration} {x}|{prompt}|{other}")])
    }

    @Test("Shots are earlier turns; the record's own comes last and never twice")
    func fewShot() throws {
        let messages = try TeacherContext.fewShot(shots: 2, ownDemonstration: true).messages(
            for: records[1], among: records)
        #expect(messages.map(\.content) == ["s", "q a", "r a", "q c", "r c", "q b", "r b", "q b"])
        #expect(
            messages.map(\.role) == [.system, .user, .assistant, .user, .assistant, .user, .assistant, .user])
        let without = try TeacherContext.fewShot(shots: 1, ownDemonstration: false).messages(
            for: records[3], among: records)
        #expect(without.map(\.content) == ["s", "q a", "r a", "q d"])
    }

    @Test("A document stands in its template, and a record without one is named")
    func document() throws {
        let context = TeacherContext.document(template: "{document}/{prompt}/{demonstration}")
        #expect(try context.messages(for: records[2], among: []).last?.content == "doc c/q c/r c")
        var bare = records[2]
        bare.document = nil
        #expect(
            pawlError { _ = try context.messages(for: bare, among: []) }?.message
                == "demonstration \"c\" has no document")
    }

    @Test("A context of hindsight takes a template for a remark or for turns, and goes around")
    func hindsightContext() throws {
        func read(_ text: String) throws -> TeacherContext {
            try JSON.decode(TeacherContext.self, from: Array(text.utf8), source: "skill.json")
        }
        #expect(
            try read(#"{"kind":"hindsight"}"#)
                == .hindsight(template: TeacherContext.hindsightTemplate, asTurns: false))
        let turns = try read(#"{"kind":"hindsight","as_turns":true}"#)
        #expect(turns == .hindsight(template: TeacherContext.hindsightTurn, asTurns: true))
        #expect(try JSON.decode(TeacherContext.self, from: JSON.canonical(turns), source: "again") == turns)
        let noFollowup = pawlError { _ = try read(#"{"kind":"hindsight","template":"{prompt}"}"#) }
        #expect(noFollowup?.message.contains("{followup} does not occur") == true)
        let misspelled = pawlError { _ = try read(#"{"kind":"hindsight","as_turn":true}"#) }
        #expect(misspelled?.message.contains(#"did you mean "as_turns""#) == true)
    }

    @Test(
        "A follow-up and an expert's context exclude each other; the error names the context and the record")
    func followupContexts() throws {
        func load(_ context: String, followup: String) throws -> PawlError? {
            let folder = try TemporaryFolder([
                "skill.json":
                    #"{"name":"logs","version":"1.0.0","teacher":{"contexts":[{"kind":"hindsight"},\#(context)]}}"#,
                "demonstrations.jsonl":
                    #"{"id":"r1","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]\#(followup)}"#,
                "suite.json": suiteManifest(), "items.jsonl": #"{"id":"i","prompt":"p","target":"t"}"#,
            ])
            return pawlError { _ = try SkillFolder(loading: folder.url) }
        }
        let said = #","followup":"No.","targets":["b"]"#
        #expect(try load(#"{"kind":"hindsight","as_turns":true}"#, followup: said) == nil)
        let expert = try #require(try load(#"{"kind":"demonstration"}"#, followup: said))
        #expect(
            expert.message.contains("teacher.contexts[1].kind")
                && expert.message.contains(#""r1" has a followup"#))
        let missing = try #require(try load(#"{"kind":"demonstration"}"#, followup: ""))
        #expect(
            missing.message.contains("teacher.contexts[0].kind")
                && missing.message.contains("has no followup"))
        #expect(
            try load(#"{"kind":"hindsight"}"#, followup: #","followup":"""#)?.message.contains(
                "must not be empty") == true)
    }
}
