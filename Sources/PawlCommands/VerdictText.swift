internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlGate
internal import PawlWorkflow

/// Verdicts as people read them.
enum VerdictText {
    /// The exit status of a decision; nil for ACCEPT.
    static func exitStatus(_ decision: Verdict.Decision) -> ExitCode? {
        switch decision {
        case .accept: nil
        case .reject: ExitCode(3)
        case .inconclusive: ExitCode(4)
        }
    }

    /// The decision as a word in its colour.
    static func word(_ decision: Verdict.Decision) -> String {
        switch decision {
        case .accept: Terminal.output.styled("ACCEPT", .green)
        case .reject: Terminal.output.styled("REJECT", .red)
        case .inconclusive: Terminal.output.styled("INCONCLUSIVE", .yellow)
        }
    }

    /// The end of a registration: decision, suites, what became of main.
    static func registration(_ report: RegistrationReport) -> String {
        let candidate = report.candidate.short
        let end =
            report.isPromoted
            ? "main is now \(candidate)"
            : "main stays \(report.parent.short); the candidate \(candidate) is kept "
                + "(pawl show \(candidate), pawl promote \(candidate) --waive REASON)"
        return verdict(report.verdict) + "\n\n" + tries(report) + end
    }

    /// What was tried, where that was more than one candidate.
    private static func tries(_ report: RegistrationReport) -> String {
        guard report.tries.count > 1 else { return "" }
        var table = Table(["tried", "candidate", "decision", "gained", "priors held"])
        for attempt in report.tries {
            let what =
                attempt.sixteenths.map { "\($0)/16 of the way" } ?? "learning rate \(attempt.learningRate)"
            table.add([
                what, attempt.candidate.short, word(attempt.decision), attempt.isGained ? "yes" : "no",
                attempt.isHeld ? "yes" : "no",
            ])
        }
        return table.text + "\n\n"
    }

    /// Decision, table of suites and reasons.
    static func verdict(_ report: VerdictReport) -> String {
        var table = Table(
            ["suite", "state", "score", "anchor", "change", "interval", "margin", "n", "lost", "won"],
            right: [2, 3, 4, 5, 6, 7, 8, 9])
        let rows =
            report.suites.map { ($0.suite, $0) } + (report.sealed ?? []).map { ($0.suite + " (sealed)", $0) }
        for (name, suite) in rows {
            table.add([
                name, state(suite.state), percent(suite.candidateScore),
                percent(suite.anchorScore), Format.points(suite.difference),
                "[\(Format.points(suite.lower)), \(Format.points(suite.upper))]",
                suite.role == .new ? "gain > 0" : String(format: "%.1f", suite.margin * 100),
                "\(suite.count)", "\(suite.b)", "\(suite.c)",
            ])
        }
        // The sentence begins with the decision, which stands before it already.
        let sentence = report.reasons.first ?? ""
        let summary = sentence.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? sentence
        return "\(word(report.decision))  \(summary)\n\n\(table.text)\n\n"
            + Terminal.output.styled(
                "scores and margins in per cent; change and its interval in points (one-sided bounds, "
                    + "confidence \(confidences(report)))", .dim)
    }

    private static func confidences(_ report: VerdictReport) -> String {
        let values = Set(
            (report.suites + (report.sealed ?? [])).map { String(format: "%.2f%%", (1 - $0.alpha) * 100) }
        ).sorted()
        return values.joined(separator: " or ")
    }

    private static func state(_ state: SuiteState) -> String {
        switch state {
        case .held: Terminal.output.styled("held", .green)
        case .gained: Terminal.output.styled("gained", .green)
        case .regressed: Terminal.output.styled("regressed", .red)
        case .notGained: Terminal.output.styled("not gained", .red)
        case .undecided: Terminal.output.styled("undecided", .yellow)
        }
    }
}
