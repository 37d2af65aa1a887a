internal import PawlCore
internal import PawlRegistry

/// Skills and general suites of a checkpoint: state, score with its interval, what was certified, against what, when.
struct SkillTable: Markup {
    let skills: [SkillState]
    let general: [SkillState]
    let caption: String

    var html: HTML {
        var table = DataTable(
            [
                "Skill", "State", "Score, 95% interval", "Score", "Change", "At least", "Margin", "Anchor",
                "Certified",
            ],
            numbers: [3, 4, 5, 6])
        for state in skills { table.add(cells(state)) }
        table.begin("General suites: what the base could do")
        for state in general { table.add(cells(state)) }
        return table.html(caption)
    }

    private func cells(_ state: SkillState) -> [DataTable.Cell] {
        [
            .html(name(state.skill ?? state.suiteName)), .html(badge(state.state)), .html(strip(state)),
            state.score.map { .number(percent($0)) } ?? .none,
            state.difference.map { .number(Figure.points($0)) } ?? .none,
            state.lower.map { .number(Figure.points($0)) } ?? .none,
            state.margin.map { .number($0 > 0 ? Figure.points(-$0) : "gain") } ?? .none,
            state.anchor.map { .html(checkpointLink($0)) } ?? .none,
            state.certified.map { .html(when($0)) } ?? .none,
        ]
    }

    /// The score on a track from 0 to 100%, with its interval.
    private func strip(_ state: SkillState) -> HTML {
        guard let score = state.score else { return span(.class("faint"), text: "not measured") }
        let interval = "\(percent(state.scoreLower ?? score)) to \(percent(state.scoreUpper ?? score))"
        return svg(
            .class("score tone-\(state.state.tone.rawValue)"), Attribute("width", "120"),
            Attribute("height", "14"),
            .role("img"), .label("\(percent(score)), \(interval)")
        ) {
            rect(
                .class("track"), Attribute("x", "0"), Attribute("y", "5"), Attribute("width", "100%"),
                Attribute("height", "4"), Attribute("rx", "2"))
            line(
                .class("interval"), .share("x1", state.scoreLower ?? score),
                .share("x2", state.scoreUpper ?? score),
                Attribute("y1", "7"), Attribute("y2", "7"))
            circle(.class("dot"), .share("cx", score), Attribute("cy", "7"), Attribute("r", "4"))
        }
    }
}
