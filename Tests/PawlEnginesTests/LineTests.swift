import Foundation
import PawlCore
import Testing

@testable import PawlEngines

@Suite("Lines, transcript, inbox")
struct LineTests {
    private func events(_ pieces: [[UInt8]]) -> [String] {
        var splitter = LineSplitter()
        var found: [String] = []
        let emit = { (event: EngineEvent, _: [UInt8]) in
            switch event {
            case .message(let value): found.append(value["type"]?.string ?? "?")
            case .violation(let reason): found.append("! " + reason)
            default: break
            }
        }
        for piece in pieces { piece.withUnsafeBytes { splitter.push($0, emit) } }
        splitter.finish(emit)
        return found
    }

    @Test("messages come out whole however the bytes are cut")
    func cuts() {
        let text = Array("{\"type\":\"a\"}\n{\"type\":\"bü\",\"x\":[1]}\n{\"type\":\"c\"}\n".utf8)
        for size in [1, 2, 3, 7, 16, text.count] {
            let pieces = stride(from: 0, to: text.count, by: size).map {
                Array(text[$0..<min($0 + size, text.count)])
            }
            #expect(events(pieces) == ["a", "bü", "c"], "pieces of \(size)")
        }
    }

    @Test(
        "anything but a message is a violation that quotes the line",
        arguments: [
            ("hello\n", "is not JSON (expected a JSON value): \"hello\""), ("\n", "is not JSON"),
            ("[1]\n", "no object with a \"type\": \"[1]\""), ("{\"type\":1}\n", "no object with a \"type\""),
            ("{\"type\":\"a\"} {\"type\":\"b\"}\n", "text after the end"),
            ("{\"type\":\"a\"}", "middle of a line"),
            ("{\"type\":\"a\",\"x\":NaN}\n", "is not JSON"), ("\u{1B}[31mred\n", "\\u{1b}[31mred"),
        ])
    func violations(text: String, expected: String) {
        let found = events([Array(text.utf8)])
        #expect(found.count == 1 && found[0].contains(expected), "\(found)")
    }

    @Test("a line may be 1 MiB long and no longer, and must be UTF-8")
    func lengths() {
        let frame = #"{"type":"a","x":""}"#.utf8.count
        for (extra, whole) in [(0, true), (1, false)] {
            let filling = String(repeating: "x", count: LineSplitter.maximumLineLength - frame + extra)
            let found = events([Array(#"{"type":"a","x":"\#(filling)"}"#.utf8) + [0x0A]])
            #expect(found.count == 1 && (found[0] == "a") == whole)
        }
        #expect(events([Array(repeating: 0x78, count: 2 << 20)]).first?.contains("longer than") == true)
        #expect(
            events([Array(#"{"type":""#.utf8) + [0xFF] + Array("\"}\n".utf8)]).first?.contains("UTF-8")
                == true)
    }

    @Test("nothing is read past a violation")
    func stops() {
        #expect(events([Array("x\n{\"type\":\"a\"}\n".utf8), Array("{\"type\":\"b\"}\n".utf8)]).count == 1)
    }

    @Test("a transcript is bounded: its start, a gap that says how much, its end")
    func transcript() throws {
        let recorder = TranscriptRecorder(headLimit: 500, tailLimit: 500)
        for index in 0..<100 {
            recorder.record(.engine, message: ["type": "progress", "step": .int(Int64(index))])
        }
        let lines = try JSON.decodeLines(
            JSONValue.self, from: recorder.transcript.bytes, source: "transcript")
        #expect(recorder.transcript.bytes.count < 1_200)
        #expect(lines.first?["message"]?["step"] == 0 && lines.last?["message"]?["step"] == 99)
        let omitted = lines.compactMap { $0["omitted"]?.int }
        #expect(omitted.count == 1 && omitted.reduce(0, +) + lines.count - 1 == 100)
    }

    @Test("the inbox keeps order, waits until a deadline, and stays usable after it")
    func inbox() async {
        let inbox = Inbox()
        #expect(await inbox.next(until: .now + .milliseconds(20)) == nil)
        inbox.put(.exited)
        inbox.put(.cancelled)
        guard case .exited = await inbox.next(until: .now), case .cancelled = await inbox.next(until: .now)
        else {
            Issue.record("order")
            return
        }
        Task {
            try await Task.sleep(for: .milliseconds(30))
            inbox.put(.outputEnded)
        }
        guard case .outputEnded = await inbox.next(until: .now + .seconds(20)) else {
            Issue.record("late event")
            return
        }
        #expect(inbox.hasExited && inbox.isCancelled && inbox.hasOutputEnded)
    }

    @Test("a flood of unread messages becomes a violation instead of memory")
    func flood() async {
        let inbox = Inbox()
        for _ in 0..<20_000 { inbox.put(.message([:])) }
        var count = 0
        var violations = 0
        while let event = await inbox.next(until: .now) {
            count += 1
            if case .violation = event { violations += 1 }
        }
        #expect(count == 10_001 && violations == 1)
    }
}
