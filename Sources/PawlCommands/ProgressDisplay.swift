internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlWorkflow
internal import Synchronization

/// How progress is shown.
enum ProgressFormat: String, Sendable, CaseIterable, ExpressibleByArgument {
    /// For people: a bar on a terminal, plain lines when piped.
    case text
    /// For programs: a JSON object a line (schemas/progress.json).
    case json
}

/// Shows progress on stderr: one line that is redrawn on a terminal, a plain line every few seconds when piped; or as JSON
/// lines, each step of a training and of other work one a second.
final class ProgressDisplay: Sendable {
    private struct State {
        var activity = ""
        var started = Date()
        /// Units that were done before, by a run that was interrupted.
        var first: Int64 = 0
        var lastDrawn = Date.distantPast
        var isLineOpen = false
    }

    private let enabled: Bool
    private let format: ProgressFormat
    private let state = Mutex(State())

    init(enabled: Bool, format: ProgressFormat = .text) {
        self.enabled = enabled
        self.format = format
    }

    /// The handler to hand to long work.
    var handler: ProgressHandler { { [self] in show($0) } }

    /// Ends the open line, so that what follows starts on a line of its own.
    func finish() {
        state.withLock { state in
            if state.isLineOpen { Terminal.error.writeRaw("\n") }
            state.isLineOpen = false
        }
    }

    /// Prints a line of its own between progress lines.
    func note(_ text: String) {
        guard enabled else { return }
        finish()
        Terminal.error.write(format == .json ? Self.json(NoteEvent(text: text)) : text)
    }

    private func show(_ progress: PawlCore.Progress) {
        guard enabled else { return }
        let isBar = format == .text && Terminal.error.isInteractive
        let interval = format == .json ? (progress.unit == "steps" ? 0 : 1) : isBar ? 0.1 : 5.0
        state.withLock { state in
            let now = Date()
            let isNew = state.activity != progress.activity
            if isNew {
                if state.isLineOpen { Terminal.error.writeRaw("\n") }
                state = State(activity: progress.activity, started: now, first: progress.completed)
            }
            let isLast = progress.total == progress.completed
            // A piped log gets a first line only after a second: short work leaves no trace there.
            if format == .text && !isBar && isNew {
                state.lastDrawn = now.addingTimeInterval(1 - interval)
            }
            guard
                now.timeIntervalSince(state.lastDrawn) >= interval
                    || (isLast && state.lastDrawn > state.started)
            else { return }
            state.lastDrawn = now
            draw(progress, from: state.first, elapsed: now.timeIntervalSince(state.started))
            state.isLineOpen = isBar
        }
    }

    private func draw(_ progress: PawlCore.Progress, from first: Int64, elapsed: Double) {
        if format == .json {
            return Terminal.error.write(Self.json(ProgressEvent(progress, from: first, elapsed: elapsed)))
        }
        let line = Self.line(
            progress, from: first, elapsed: elapsed, width: Terminal.error.width,
            bar: Terminal.error.isInteractive)
        Terminal.error.writeRaw(Terminal.error.isInteractive ? "\r\u{1B}[K" + line : line + "\n")
    }

    /// The text of one line.
    ///
    /// - Parameter first: units that were done when the activity began, `elapsed` seconds ago.
    static func line(
        _ progress: PawlCore.Progress, from first: Int64 = 0, elapsed: Double, width: Int, bar: Bool
    ) -> String {
        var parts = [progress.activity]
        let isBytes = progress.unit == "bytes"
        let done = isBytes ? Format.bytes(progress.completed) : "\(progress.completed)"
        if let total = progress.total, total > 0 {
            let share = min(1, Double(progress.completed) / Double(total))
            if bar {
                let cells = 20
                let full = Int((share * Double(cells)).rounded(.down))
                parts.append(
                    "[" + String(repeating: "#", count: full) + String(repeating: "-", count: cells - full)
                        + "]")
            }
            parts.append(isBytes ? "\(done)/\(Format.bytes(total))" : "\(done)/\(total) \(progress.unit)")
            if share >= 0.02, elapsed > 2,
                let left = ProgressEvent.secondsLeft(progress, from: first, elapsed: elapsed)
            {
                parts.append(Format.duration(left) + " left")
            }
        } else {
            parts.append(isBytes ? done : "\(done) \(progress.unit)")
        }
        parts += figures(progress.metrics)
        let text = parts.joined(separator: "  ")
        return bar ? String(text.prefix(max(20, width - 1))) : text
    }

    /// What people follow in a training, in its own order and words; all figures of other work, by name.
    private static func figures(_ metrics: [String: Double]) -> [String] {
        guard metrics["completion_tokens"] != nil else {
            return metrics.sorted { $0.key < $1.key }.map { name, value in
                "\(name) \(String(format: "%.4g", value))"
            }
        }
        let known: [(String, (Double) -> String)] = [
            ("loss", { String(format: "loss %.4g", $0) }),
            ("tokens_per_second", { String(format: "%.0f tokens/s", $0) }),
            ("completion_tokens", { String(format: "answers of %.0f tokens", $0) }),
            ("truncated", { String(format: "%.0f%% truncated", 100 * $0) }),
            ("leaked", { String(format: "%.0f%% leaking", 100 * $0) }),
        ]
        return known.compactMap { name, text in metrics[name].map(text) }
    }
}

extension ProgressDisplay {
    /// One line, without the line feed.
    static func json(_ value: some Encodable) -> String {
        (try? JSON.canonical(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
