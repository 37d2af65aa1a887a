import PawlCore
import Testing

@testable import PawlGate

@Suite("Contamination")
struct ContaminationTests {
    private func item(_ id: String, _ prompt: String, _ target: String) -> String {
        #"{"id":"\#(id)","prompt":"\#(prompt)","target":"\#(target)"}"#
    }

    private func overlaps(_ items: [String], _ prompt: String, _ completion: String = "done") throws
        -> [Overlap]
    {
        try Contamination(suite(items: items)).overlaps(with: [
            Demonstration(id: "d", messages: [Message(.user, prompt)], completion: completion)
        ])
    }

    @Test("the same question is found, whatever its case, punctuation and white space")
    func sameQuestion() throws {
        let items = [item("q1", "What is the capital of France?", "Paris")]
        let found = try overlaps(items, "what is  the CAPITAL of france")
        #expect(found.map(\.kind) == [.sameQuestion])
        #expect(found.first?.item == "q1" && found.first?.demonstration == "d")
        #expect(try overlaps(items, "What is the capital of Spain?").isEmpty)
        #expect(try overlaps(items, "Name the capital", "What is the capital of France?").isEmpty)
    }

    private let words = (1...20).map { "word\($0)" }

    @Test("thirteen words in a row are copied, twelve are not")
    func sharedWords() throws {
        let items = [item("q1", words.joined(separator: " "), "x")]
        let thirteen = "first of all, " + words[3..<16].joined(separator: "; ")
        #expect(try overlaps(items, thirteen).map(\.kind) == [.sharedWords])
        #expect(try overlaps(items, thirteen).first?.text == words[3..<16].joined(separator: " "))
        #expect(try overlaps(items, "first " + words[3..<15].joined(separator: " ")).isEmpty)
    }

    @Test("what several items share is the suite's form")
    func form() throws {
        let form = words.joined(separator: " ")
        let items = [item("q1", form + " Paris", "x"), item("q2", form + " Rome", "x")]
        #expect(try overlaps(items, form + " Berlin").isEmpty)
        #expect(try overlaps(items, form + " Rome").map(\.item) == ["q2"])
    }

    @Test("a question and its answer in the demonstration's response count as well")
    func response() throws {
        let items = [item("q1", words[0..<10].joined(separator: " "), words[10..<20].joined(separator: " "))]
        #expect(try overlaps(items, "Repeat.", words.joined(separator: " ")).map(\.kind) == [.sharedWords])
    }
}
