import Foundation
import PawlCore

/// The conversation with the driver: a line out for each line in, so that one of two programs works at a time.
struct Turns {
    /// What a line says, by name.
    typealias Line = [String: JSONValue]

    /// Says that all is loaded and warm.
    func ready(_ facts: Line) throws { try write(facts) }

    /// Waits for the driver; false when it wants no more.
    func next() -> Bool { readLine() != nil }

    /// Says what was done and how long it took.
    func done(_ seconds: Double, _ facts: Line) throws {
        let measured: Line = ["seconds": .double(seconds), "peak_bytes": .double(Self.peakBytes)]
        try write(facts.merging(measured) { $1 })
    }

    /// Does a work once to warm up, and then whenever the driver asks.
    func repeating(_ facts: Line, _ work: () throws -> Line) throws {
        _ = try work()
        try ready(facts)
        let clock = ContinuousClock()
        while next() {
            let begin = clock.now
            let line = try work()
            try done((clock.now - begin) / .seconds(1), line)
        }
    }

    private func write(_ line: Line) throws {
        try FileHandle.standardOutput.write(contentsOf: Data(JSON.canonical(line) + [0x0A]))
    }

    /// The largest resident set that the process had (VmHWM), in bytes; 0 where the system does not say.
    private static var peakBytes: Double {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Double($0) }.map { $0 * 1024 } ?? 0
    }
}
