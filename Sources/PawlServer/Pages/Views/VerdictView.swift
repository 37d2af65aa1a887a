internal import PawlCore
internal import PawlGate
internal import PawlRegistry

/// A verdict: the decision, its reason, and the suites against their margin lines.
struct VerdictView: Markup {
    let digest: Digest
    let report: VerdictReport
    /// Heading level of its parts.
    var caption: String

    var html: HTML {
        article(.class("verdict-view")) {
            p(.class("decision")) {
                badge(report.decision.record)
                span(text: report.reasons.first ?? "")
            }
            plot("Gain of the new skill over its parent", gained, margin: false)
            plot("Change of each suite against its anchor", prior, margin: true)
            numbers(caption, ForestPlot(gained + prior).table)
            p(.class("faint")) {
                "Verdict "
                self.digest(digest)
                ", "
                when(report.created)
                ". Each bound is one-sided\(confidence)."
            }
        }
    }

    /// Attempts against different anchors are judged at different levels.
    private var confidence: String {
        let levels = Set((report.suites + (report.sealed ?? [])).map { percent(1 - $0.alpha) }).sorted()
        guard let first = levels.first, let last = levels.last else { return "" }
        return first == last ? " at \(first) confidence" : " at \(first) to \(last) confidence"
    }

    private var gained: [ForestPlot.Row] { rows { $0.role == .new } }
    private var prior: [ForestPlot.Row] { rows { $0.role == .prior } }

    private func rows(_ wanted: (SuiteComparison) -> Bool) -> [ForestPlot.Row] {
        report.suites.filter(wanted).map {
            ForestPlot.Row(
                name: $0.suite, comparison: $0, flips: .flips(report.candidate, $0.suite, verdict: digest))
        }
            + (report.sealed ?? []).filter(wanted).map {
                ForestPlot.Row(name: $0.suite, isSealed: true, comparison: $0)
            }
    }

    private func plot(_ title: String, _ rows: [ForestPlot.Row], margin: Bool) -> HTML {
        pieces {
            if !rows.isEmpty {
                figure {
                    figcaption {
                        strong(title)
                        span(
                            .class("faint"),
                            text: margin
                                ? "points; the dashed line is the margin, beyond it is a loss"
                                : "points; the whole interval must lie above 0")
                    }
                    ForestPlot(rows).html
                }
            }
        }
    }
}

extension Verdict.Decision {
    var record: VerdictRecord.Decision {
        switch self {
        case .accept: .accept
        case .reject: .reject
        case .inconclusive: .inconclusive
        }
    }
}
