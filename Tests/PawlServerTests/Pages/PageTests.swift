import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import PawlStore
import PawlWorkflow
import Testing

@testable import PawlServer

@Suite("Pages of a registry")
struct PageTests {
    /// A page as the crawl found it.
    private struct Found {
        var status: Int
        var text: String
        var drawing: Drawing
    }

    /// Every page that a link leads to, found as a visitor finds them; once for all tests.
    private static let crawled = Task { () throws -> [String: Found] in
        let world = try await PagesWorld.shared()
        var pages: [String: Found] = [:]
        var waiting = ["/"]
        while let address = waiting.popLast() {
            guard pages[address] == nil else { continue }
            let parts = try #require(URLComponents(string: address))
            let path = parts.percentEncodedPath.split(separator: "/").map {
                String($0).removingPercentEncoding ?? ""
            }
            let query = Dictionary(
                (parts.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
            let (status, text) = try await world.get(path, query)
            let found = Found(status: status, text: text, drawing: Drawing(text))
            pages[address] = found
            for element in found.drawing.elements("a") {
                guard let target = element.attributes["href"], target.hasPrefix("/"),
                    !target.hasPrefix("/api")
                else { continue }
                waiting.append(String(target.prefix { $0 != "#" }))
            }
        }
        return pages
    }

    @Test(
        "every link leads to a page, and every page is sound: closed elements, unique names, headings in order"
    )
    func sound() async throws {
        let pages = try await Self.crawled.value
        // Nine of the navigation's, five checkpoints, and their flips and comparisons.
        #expect(pages.count > 20, "\(pages.keys.sorted())")
        for (address, page) in pages {
            #expect(page.status == 200, "\(address)")
            let drawing = page.drawing
            #expect(drawing.problems.isEmpty, "\(address): \(drawing.problems)")
            let names = drawing.all.compactMap { $0.attributes["id"] }
            #expect(Set(names).count == names.count, "\(address): \(names)")
            let levels = drawing.all.compactMap { ["h1": 1, "h2": 2, "h3": 3][$0.name] }
            #expect(levels.first == 1 && levels.count { $0 == 1 } == 1, "\(address)")
            #expect(zip(levels, levels.dropFirst()).allSatisfy { $1 <= $0 + 1 }, "\(address): \(levels)")
            #expect(drawing.elements("main").count == 1 && drawing.elements("a", class: "skip").count == 1)
            for drawing in drawing.elements("svg") where drawing.attributes["role"] == "img" {
                #expect(drawing.attributes["aria-label"]?.isEmpty == false, "\(address)")
            }
        }
    }

    @Test(
        "nothing that the content-security policy forbids is on a page, and nothing that somebody wrote is markup"
    )
    func policy() async throws {
        let world = try await PagesWorld.shared()
        for (address, page) in try await Self.crawled.value {
            let text = page.text
            for element in page.drawing.all {
                #expect(element.attributes["style"] == nil, "\(address): <\(element.name)>")
                #expect(
                    !element.attributes.keys.contains { $0.hasPrefix("on") }, "\(address): <\(element.name)>")
                for address in ["src", "href", "action"].compactMap({ element.attributes[$0] }) {
                    #expect(address.hasPrefix("/") && !address.hasPrefix("//") || address.hasPrefix("#"))
                }
            }
            #expect(
                !text.contains("<script>") && !text.contains("<img") && !text.contains("<style"), "\(address)"
            )
        }
        // It was shown, as text.
        let shown = HTML.escaped(PagesWorld.hostile)
        #expect(try await world.get(["journal"]).text.contains(shown))
        #expect(try await world.get(["timeline"]).text.contains(shown))
        #expect(
            try await world.get(["checkpoints", world.rejected.hex, "flips"], ["suite": "general"]).text
                .contains(shown))
        #expect(try await world.get(["journal"], ["q": PagesWorld.hostile]).text.contains(shown))
    }

    @Test("stylesheet, script and icon lie where pages say, with a name that changes with them")
    func assets() async throws {
        let world = try await PagesWorld.shared()
        let text = try await world.get([]).text
        let addresses = Drawing(text).all.filter { ["link", "script"].contains($0.name) }
            .compactMap { $0.attributes["href"] ?? $0.attributes["src"] }
        #expect(addresses.count == 3)
        for address in addresses {
            let path = address.split(separator: "/").map(String.init)
            let reply = try #require(try await Pages(registry: world.registry).reply(to: Call("GET", path)))
            guard case .bytes(let bytes) = reply.content else {
                Issue.record("a stream")
                continue
            }
            #expect(reply.status == 200 && bytes.count > 100)
            #expect(address.contains(Digest(of: bytes).short))
            #expect(reply.headers.contains { $0.name == "cache-control" && $0.value.contains("immutable") })
        }
        #expect(
            try await Pages(registry: world.registry).reply(to: Call("GET", ["assets", "pawl-0.css"])) == nil)
    }

    @Test("the overview tells what main is, what it holds, and the last verdict")
    func overview() async throws {
        let world = try await PagesWorld.shared()
        let text = try await world.get([]).text
        #expect(text.contains("href=\"/checkpoints/\(world.beta.hex)\""))
        #expect(text.contains("2 of 2"))
        #expect(text.contains("INCONCLUSIVE"))
        for state in try world.registry.skills(of: world.beta) {
            #expect(state.state == .held)
            #expect(text.contains(percent(try #require(state.score))))
            #expect(text.contains(Figure.time(try #require(state.certified))))
        }
        #expect(text.contains(Figure.bytes(try Workflow(registry: world.registry).storage().storedBytes)))
    }

    @Test("the timeline has every checkpoint once, in its place, and every move of main")
    func timeline() async throws {
        let world = try await PagesWorld.shared()
        let drawing = Drawing(try await world.get(["timeline"]).text)
        let nodes = drawing.elements("g", class: "node")
        #expect(nodes.count == 5)
        #expect(nodes.count { $0.attributes["class"]?.contains("beside") == true } == 2)
        #expect(nodes.count { $0.attributes["class"]?.contains("main") == true } == 1)
        let bars = drawing.elements("g", class: "bar").compactMap { $0.attributes["class"] }
        #expect(bars == ["bar init", "bar promotion", "bar waiver", "bar rollback", "bar promotion"])
        let texts = Set(drawing.elements("text").map(\.text))
        for digest in [world.base, world.alpha, world.rejected, world.beta, world.open] {
            #expect(texts.contains(String(digest.hex.prefix(8))))
        }
    }

    @Test("the heat map has the matrix: each score in its cell, blank ones hatched")
    func skills() async throws {
        let world = try await PagesWorld.shared()
        let matrix = try world.registry.matrix(includingCandidates: true)
        let drawing = Drawing(try await world.get(["skills"]).text)
        let cells = drawing.elements("td", class: "heat")
        #expect(cells.count == matrix.checkpoints.count * matrix.suites.count)
        #expect(
            cells.count { $0.attributes["class"]?.contains("unmeasured") == true } == cells.count
                - matrix.cells.count)
        let scores = drawing.elements("span", class: "score").map(\.text)
        let expected = matrix.checkpoints.reversed().flatMap { checkpoint in
            matrix.suites.compactMap { matrix[checkpoint.digest, $0.digest] }.map { percent($0.score) }
        }
        #expect(scores == expected)
        #expect(cells.count { $0.attributes["class"]?.contains("frame-bad") == true } >= 1)
    }

    @Test("a checkpoint's page tells what it is, what it holds, why, and how to go on in the terminal")
    func checkpoint() async throws {
        let world = try await PagesWorld.shared()
        let text = try await world.get(["checkpoints", "main"]).text
        let manifest = try world.registry.manifest(of: world.beta)
        #expect(text.contains(world.beta.hex) && text.contains(world.alpha.short))
        #expect(text.contains("main: this one serves"))
        let size = try world.registry.store.storedSize(of: world.beta)
        #expect(
            text.contains(Figure.bytes(size.logicalBytes)) && text.contains(Figure.bytes(size.storedBytes)))
        let rate = try #require(manifest.recipe?["learning_rate"]?.double)
        #expect(text.contains("<dt>learning_rate</dt><dd>\(rate)</dd>"))
        #expect(text.contains("<dt>training.records</dt>"))
        #expect(text.contains("pawl export \(world.beta.short) DIR"))
        #expect(text.contains("Accepted: beta gained"))
        // The stub says nothing of its steps but their number.
        #expect(text.contains("<h2>Training</h2>"))
    }

    @Test("changed weights are counted in the background and then shown by layer, as the comparison has them")
    func weights() async throws {
        let world = try await PagesWorld.shared()
        let difference = try Workflow(registry: world.registry).difference(from: world.alpha, to: world.beta)
        let pages = Pages(registry: world.registry)
        let call = Call("GET", ["checkpoints", world.beta.hex, "weights"])
        for _ in 0..<200 {
            let reply = try #require(try await pages.reply(to: call))
            guard case .bytes(let bytes) = reply.content else { break }
            let text = String(decoding: bytes, as: UTF8.self)
            if reply.headers.contains(where: { $0.name == "refresh" }) {
                try await Task.sleep(for: .milliseconds(50))
                continue
            }
            #expect(difference.changedElements > 0)
            #expect(text.contains("of \(Figure.grouped(difference.elements)) weights changed"))
            let figures = Drawing(text).elements("td", class: "n").map(\.text)
            let changed = stride(from: 2, to: figures.count, by: 4).compactMap {
                Int(figures[$0].replacing(",", with: ""))
            }
            #expect(changed.reduce(0, +) == difference.changedElements)
            #expect(changed.count == 3)
            return
        }
        Issue.record("the weights were never counted")
    }

    @Test("the flipped items are those of the verdict, losses first, with both answers")
    func flips() async throws {
        let world = try await PagesWorld.shared()
        let workflow = Workflow(registry: world.registry)
        let verdict = try #require(try world.registry.verdicts(of: world.rejected).first)
        let part = try #require(try workflow.explain(verdict.digest, suites: ["general"]).suites.first)
        let drawing = Drawing(
            try await world.get(["checkpoints", world.rejected.hex, "flips"], ["suite": "general"]).text)
        let shown = drawing.elements("article", class: "flip").count
        #expect(shown == min(25, part.flips.count) && shown > 10)
        let losses = part.flips.filter { !$0.isWon }
        let ids = drawing.elements("bdi").map(\.text).filter { $0.hasPrefix("item") }
        #expect(ids.prefix(shown) == (losses + part.flips.filter(\.isWon)).prefix(shown).map(\.id)[...])
        let answers = Set(drawing.elements("pre").map(\.text))
        for flip in losses.prefix(shown) {
            #expect(answers.contains(flip.candidate.text ?? "") && answers.contains(flip.anchor.text ?? ""))
        }
    }

    @Test("two checkpoints side by side: scores, and the settings of their recipes that differ")
    func compare() async throws {
        let world = try await PagesWorld.shared()
        let text = try await world.get(["compare"], ["from": world.rejected.short, "to": world.beta.short])
            .text
        let difference = try Workflow(registry: world.registry).difference(
            from: world.rejected, to: world.beta)
        for suite in difference.suites {
            if let from = suite.from, let to = suite.to { #expect(text.contains(Figure.points(to - from))) }
        }
        #expect(text.contains("<th scope=\"row\">seed</th><td>2</td><td>3</td>"))
        #expect(!text.contains("<th scope=\"row\">learning_rate</th>"))
    }

    @Test("drift has a chart for each prior suite of the line, with its margin, and the transfer figures")
    func drift() async throws {
        let world = try await PagesWorld.shared()
        let drifts = try Drift.all(world.registry)
        #expect(drifts.map(\.suite) == ["alpha", "general"])
        let general = drifts[1]
        #expect(general.steps.map(\.checkpoint.digest) == [world.alpha, world.beta])
        #expect(general.steps.allSatisfy { $0.row.anchor == world.base })
        let points = general.chart.series[0].points.map(\.y)
        #expect(points == [0] + general.steps.map { $0.row.difference * 100 })
        #expect(general.chart.levels.map(\.y) == [-10])
        let text = try await world.get(["drift"]).text
        let transfer = try Workflow(registry: world.registry).transfer()
        #expect(text.contains(percent(try #require(transfer.metrics.averageAccuracy))))
        #expect(text.contains(Figure.points(try #require(transfer.metrics.backwardTransfer))))
    }

    @Test("storage adds up: the curve ends at what is stored, and the copies at what the files hold")
    func storage() async throws {
        let world = try await PagesWorld.shared()
        let report = try Workflow(registry: world.registry).storage()
        let series = Growth(report).chart.series
        #expect(series[0].points.last?.y == Double(report.storedBytes))
        #expect(series[1].points.last?.y == Double(report.entries.reduce(0) { $0 + $1.use.logicalBytes }))
        let text = try await world.get(["storage"]).text
        for entry in report.entries { #expect(text.contains(Figure.bytes(entry.use.addedBytes))) }
    }

    @Test("the journal is found by words, kinds and digests, and goes on page by page")
    func journal() async throws {
        let world = try await PagesWorld.shared()
        func rows(_ query: [String: String]) async throws -> Int {
            Drawing(try await world.get(["journal"], query).text).elements("th").count {
                $0.attributes["scope"] == "row"
            }
        }
        let entries = try world.registry.journal()
        #expect(try await rows([:]) == min(50, entries.count))
        #expect(try await rows(["kind": "verdict"]) == entries.count { $0.kind == .verdict })
        #expect(try await rows(["q": "forgets"]) == 1)
        #expect(try await rows(["q": "100%"]) == 0)
        #expect(
            try await rows(["q": world.rejected.short]) == entries.count { $0.checkpoint == world.rejected })
        #expect(try await rows(["before": "4"]) == 3)
        #expect(try await world.get(["journal"], ["q": "no such thing"]).text.contains("No entry fits"))
    }

    @Test(
        "the playground offers every kept checkpoint on both sides, and says what it needs without a script")
    func playground() async throws {
        let world = try await PagesWorld.shared()
        let drawing = Drawing(try await world.get(["playground"]).text)
        #expect(drawing.elements("select").count == 2 && drawing.elements("option").count == 10)
        let chosen = drawing.elements("option").filter { $0.attributes["selected"] != nil }
        #expect(chosen.map { $0.attributes["value"] } == [world.alpha.hex, world.beta.hex])
        #expect(drawing.elements("noscript").count == 1)
        #expect(drawing.elements("form").first?.attributes["data-endpoint"] == "/v1/chat/completions")
    }

    @Test(
        "a registration that stopped is on the overview with its phase, and on a page of its own that is small"
    )
    func running() async throws {
        let root = URL(filePath: "/tmp/pawl-pages-running-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: root) }
        let registry = try Registry.create(at: root)
        let pages = Pages(registry: registry)
        func text(_ path: [String]) async throws -> (text: String, refreshes: Bool) {
            let reply = try #require(try await pages.reply(to: Call("GET", path)))
            guard case .bytes(let bytes) = reply.content else { throw PawlError(.internalError, "a stream") }
            return (String(decoding: bytes, as: UTF8.self), reply.headers.contains { $0.name == "refresh" })
        }
        #expect(try await text(["running"]).text.contains("Nothing is running"))
        try registry.save(Registration(skill: "alpha", parent: Digest(of: "x"), phase: "train"))
        let stopped = try await text(["running"])
        #expect(stopped.text.contains("<li class=\"now\" aria-current=\"step\">train</li>"))
        #expect(stopped.text.contains("<li class=\"past\">baseline</li>"))
        #expect(stopped.text.contains("pawl register --resume") && !stopped.refreshes)
        let lease = try registry.acquireLease("register alpha")
        defer { lease.release() }
        let running = try await text(["running"])
        #expect(running.text.contains("<strong>register alpha</strong>") && running.refreshes)
        #expect(!running.text.contains("--resume"))
    }

    @Test("what is not there is a page with the status of its reason; what is no page's is left to others")
    func missing() async throws {
        let world = try await PagesWorld.shared()
        let missing = try await world.get(["checkpoints", "no-such"])
        #expect(missing.status == 404 && missing.text.contains("no-such") && missing.text.contains("<h1>"))
        #expect(try await world.get(["checkpoints", "ab"]).status == 400)
        #expect(try await world.get(["checkpoints", world.alpha.hex, "flips"]).status == 400)
        #expect(
            try await world.get(["checkpoints", world.alpha.hex, "flips"], ["suite": "x<y"]).status == 404)
        #expect(try await world.get(["checkpoints", world.base.hex, "weights"]).status == 404)
        let pages = Pages(registry: world.registry)
        for path in [["api", "v1"], ["v1", "models"], ["checkpoints"], ["skills", "x"], ["favicon.ico"]] {
            #expect(try await pages.reply(to: Call("GET", path)) == nil)
        }
        #expect(try await pages.reply(to: Call("POST", ["journal"]))?.status == 405)
    }

    @Test("a registry without a base has pages that say how to begin")
    func empty() async throws {
        let root = URL(filePath: "/tmp/pawl-pages-empty-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: root) }
        let pages = Pages(registry: try Registry.create(at: root))
        for place in Page.Place.allCases where place != .nowhere {
            let path = place == .overview ? [] : [place.rawValue]
            let reply = try #require(try await pages.reply(to: Call("GET", path)))
            #expect(reply.status == 200, "\(place)")
            guard case .bytes(let bytes) = reply.content else { continue }
            #expect(Drawing(String(decoding: bytes, as: UTF8.self)).problems.isEmpty)
        }
    }
}
