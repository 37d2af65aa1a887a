import Foundation
import PawlCore
import PawlGate
import PawlRegistry
import PawlStore
import Testing

@testable import PawlServer

@Suite("Charts say what the data say")
struct ChartTests {
    @Test(
        "a scale holds its values between round ends",
        arguments: [
            ([0.0, 0.258], 0.0, 0.3), ([-61.8, 0.0], -80.0, 0.0), ([-0.068, 0.013, -0.115], -0.15, 0.05),
            ([5.0], 2.0, 8.0),
            ([0.0], -0.5, 0.5), ([.nan, 3, .infinity, 1], 1.0, 3.0),
            ([813_500_000.0, 0], 0.0, 1_000_000_000.0),
        ] as [([Double], Double, Double)])
    func scale(_ values: [Double], _ lower: Double, _ upper: Double) {
        let scale = Scale(holding: values)
        #expect(abs(scale.lower - lower) < 1e-9 && abs(scale.upper - upper) < 1e-9, "\(scale)")
        #expect(scale.ticks.first == scale.lower || abs((scale.ticks.first ?? 9) - scale.lower) < 1e-9)
        #expect(
            (scale.ticks.last ?? 0) <= scale.upper + 1e-9 && scale.ticks.count >= 3 && scale.ticks.count <= 9)
        for value in values where value.isFinite {
            #expect(abs(scale.lower + scale.place(value) * (scale.upper - scale.lower) - value) < 1e-6)
        }
    }

    @Test("what lies beyond a scale is held at its end, and what is no number at its start")
    func beyond() {
        let scale = Scale(from: 0, to: 10, ticks: [])
        #expect(
            scale.place(11) == 1 && scale.place(-3) == 0 && scale.place(.nan) == 0 && scale.place(2.5) == 0.25
        )
    }

    @Test("a line chart's dots, intervals and levels, read by its own axis, are the values")
    func lineChart() throws {
        let values = [0.0, -2.7, 1.3, -4.9]
        let chart = LineChart(
            label: "test",
            series: [
                LineChart.Series(
                    name: "s",
                    points: values.enumerated().map {
                        LineChart.Point(
                            x: Double($0), y: $1, interval: ($1 - 1.5)...($1 + 0.5), title: "\($0)")
                    })
            ], levels: [LineChart.Level(y: -5, name: "margin", isMargin: true)],
            x: Scale(from: 0, to: 3, ticks: []), y: Scale(holding: values + [-6.4, 1.8]),
            format: { "\($0)" }, names: [])
        let drawing = Drawing(chart.html.markup)
        // The axis: the text of a tick is 4 below its line.
        let ticks = drawing.elements("text").compactMap { element -> (value: Double, place: Double)? in
            guard element.attributes["x"] == "44", let value = Double(element.text) else { return nil }
            return (value, (element.number("y") ?? 0) - 4)
        }
        let axis = try Axis(ticks)
        let dots = drawing.elements("circle")
        #expect(dots.count == values.count)
        for (dot, value) in zip(dots, values) {
            #expect(abs(axis.value(at: try #require(dot.number("cy"))) - value) < 0.05)
        }
        #expect(dots.map { $0.attributes["cx"] } == ["0%", "33.33%", "66.67%", "100%"])
        for (interval, value) in zip(drawing.elements("line", class: "interval"), values) {
            #expect(abs(axis.value(at: try #require(interval.number("y2"))) - (value - 1.5)) < 0.05)
            #expect(abs(axis.value(at: try #require(interval.number("y1"))) - (value + 0.5)) < 0.05)
        }
        let margin = try #require(drawing.elements("line").first { $0.parent == "level margin" })
        #expect(abs(axis.value(at: try #require(margin.number("y1"))) + 5) < 0.05)
    }

    @Test("a forest plot's intervals, dots and margin lines, read by its own axis, are the verdict's")
    func forestPlot() async throws {
        let world = try await PagesWorld.shared()
        let verdict = try #require(try world.registry.verdicts(of: world.rejected).first)
        let report = try JSON.decode(
            VerdictReport.self, from: try world.registry.store.document(verdict.digest), source: "verdict")
        let rows = report.suites.filter { $0.role == .prior }
        #expect(rows.count == 2)
        let plot = ForestPlot(rows.map { ForestPlot.Row(name: $0.suite, comparison: $0) })
        let drawing = Drawing(plot.html.markup)
        let ticks = drawing.elements("text").compactMap { element -> (value: Double, place: Double)? in
            guard let value = Double(element.text.replacing("\u{2212}", with: "-")),
                let x = element.number("x")
            else { return nil }
            return (value, x)
        }
        let axis = try Axis(ticks)
        let (dots, margins) = (
            drawing.elements("circle", class: "dot"), drawing.elements("line", class: "margin")
        )
        let intervals = drawing.elements("line", class: "interval").filter { $0.attributes["y1"] == "15" }
        #expect(dots.count == rows.count && margins.count == rows.count && intervals.count == rows.count)
        for (index, row) in rows.enumerated() {
            #expect(abs(axis.value(at: try #require(dots[index].number("cx"))) - row.difference * 100) < 0.1)
            #expect(abs(axis.value(at: try #require(intervals[index].number("x1"))) - row.lower * 100) < 0.1)
            #expect(abs(axis.value(at: try #require(intervals[index].number("x2"))) - row.upper * 100) < 0.1)
            #expect(abs(axis.value(at: try #require(margins[index].number("x1"))) + row.margin * 100) < 0.1)
        }
        // The rejected candidate lost more than the margin, and the page says so.
        let general = try #require(rows.first { $0.suite == "general" })
        #expect(general.state == .regressed && general.upper < -general.margin)
        #expect(plot.table.html("numbers").markup.contains(Figure.points(general.difference)))
    }

    @Test("the heat of a cell follows its change; nothing to compare with is no change")
    func heat() {
        func heat(_ change: Double?, isAnchor: Bool = false) -> String {
            Heatmap.heat(
                Heatmap.Cell(
                    score: 0.5, interval: 0.4...0.6, state: nil, change: change, isAnchor: isAnchor, flips: 0)
            )
        }
        #expect(
            heat(-0.2) == "down3" && heat(-0.15) == "down3" && heat(-0.1) == "down2" && heat(-0.02) == "down1"
        )
        #expect(heat(0.005) == "even" && heat(-0.0099) == "even" && heat(nil) == "even")
        #expect(
            heat(0.01) == "up1" && heat(0.05) == "up2" && heat(0.9) == "up3"
                && heat(0.9, isAnchor: true) == "even")
    }

    @Test(
        "the steps of a training are read from the conversation; a step that ran twice counts as it went last"
    )
    func curves() {
        let transcript = """
            {"elapsed_ms":1,"from":"host","message":{"type":"train","id":"1"}}
            {"elapsed_ms":2,"from":"engine","message":{"type":"progress","step":2,"steps":3,"metrics":{"loss":9}}}
            {"elapsed_ms":3,"from":"engine","message":{"type":"progress","step":1,"steps":3,"metrics":{"loss":0.5,"lr":1e-5}}}
            {"elapsed_ms":4,"from":"engine","text":"no JSON"}
            {"omitted":3}
            {"elapsed_ms":5,"from":"engine","message":{"type":"progress","step":2,"steps":3,"metrics":{"loss":0.25}}}
            """
        #expect(
            TrainingCurves.steps(in: Array(transcript.utf8)) == [
                .init(number: 1, metrics: ["loss": 0.5, "lr": 1e-5]),
                .init(number: 2, metrics: ["loss": 0.25]),
            ])
    }

    @Test(
        "tensors are counted in their layer",
        arguments: [
            ("model.layers.12.mlp.up_proj.weight", "layer 12", 12),
            ("transformer.h.3.attn.c_attn.bias", "layer 3", 3),
            ("model.embed_tokens.weight", "embed_tokens", nil), ("lm_head.weight", "lm_head", nil),
            ("model.norm.weight", "norm", nil), ("weight", "weight", nil),
            ("layers.x.weight", "layers.x", nil),
        ] as [(String, String, Int?)])
    func layers(_ tensor: String, _ name: String, _ number: Int?) {
        let found = LayerChanges.layer(of: tensor)
        #expect(found.name == name && found.number == number)
    }
}

/// A straight axis from two of its labels, as a reader makes it.
struct Axis {
    private let first: (value: Double, place: Double)
    private let last: (value: Double, place: Double)

    init(_ ticks: [(value: Double, place: Double)]) throws {
        first = try #require(ticks.first)
        last = try #require(ticks.last)
        try #require(first.place != last.place && first.value != last.value)
    }

    func value(at place: Double) -> Double {
        first.value + (place - first.place) / (last.place - first.place) * (last.value - first.value)
    }
}
