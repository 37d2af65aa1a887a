import Testing

@testable import PawlModel

@Suite("Texts that end an answer")
struct StopScannerTests {
    /// What is given out for parts, each on its own, and whether a stop text was found.
    private func scan(_ parts: [String], stops: [String]) -> (given: [String], isStopped: Bool) {
        var scanner = StopScanner(stops)
        let given = parts.map { scanner.append($0) }
        return (given + [scanner.finish()], scanner.isStopped)
    }

    @Test("a stop text is found across parts, and neither it nor what follows is given out")
    func found() {
        let result = scan(["Paris", " is. E", "N", "D more"], stops: ["END"])
        #expect(result.given == ["Paris", " is. ", "", "", ""])
        #expect(result.isStopped)
    }

    @Test("what only began like one is given out as soon as that is certain, and at the end")
    func kept() {
        #expect(scan(["aEN", "x", "EN"], stops: ["END"]).given == ["a", "ENx", "", "EN"])
        #expect(!scan(["aEN", "x", "EN"], stops: ["END"]).isStopped)
    }

    @Test("the first of several counts, and whole characters are given out")
    func several() {
        #expect(scan(["ä\n", "\nz"], stops: ["\n\n", "z"]).given.joined() == "ä")
        #expect(scan(["ab"], stops: ["b", "ab"]).given.joined() == "")
        // The first byte of an unlike character may be that of the stop text.
        #expect(scan(["xÖ", "yÄ"], stops: ["Ä"]).given == ["xÖ", "y", ""])
    }

    @Test(
        "however an answer is cut into parts, the text is the same",
        arguments: [["END"], ["D.", "aa"], [""], []])
    func cuts(stops: [String]) {
        let text = "aENaEND. über END."
        let whole = scan([text], stops: stops)
        for length in 1..<text.count {
            var parts: [String] = []
            var rest = text[...]
            while !rest.isEmpty {
                parts.append(String(rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            let cut = scan(parts, stops: stops)
            #expect(cut.given.joined() == whole.given.joined())
            #expect(cut.isStopped == whole.isStopped)
        }
    }
}
