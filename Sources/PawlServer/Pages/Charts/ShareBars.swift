internal import PawlCore

/// Shares from 0 up as upright bars, one a layer.
struct ShareBars: Markup {
    struct Bar {
        var name: String
        /// Stands below the bar where there is room.
        var short: String
        var value: Double
    }

    private let bars: [Bar]
    private let scale: Scale

    private static let top = 10.0
    private static let height = 150.0

    init(_ bars: [Bar]) {
        self.bars = bars
        scale = Scale(holding: bars.map(\.value) + [0], steps: 4)
    }

    var html: HTML {
        div(.class("plot"), .role("img"), .label(label)) {
            svg(.class("scale"), Attribute("width", "52"), .px("height", Self.height + 26)) {
                for tick in scale.ticks {
                    svgText(
                        Attribute("x", "44"), .px("y", pixel(tick) + 4), Attribute("text-anchor", "end"),
                        text: percent(tick))
                }
            }
            svg(.class("area"), Attribute("width", "100%"), .px("height", Self.height + 26)) {
                g(.class("grid")) {
                    for tick in scale.ticks {
                        line(
                            Attribute("x1", "0"), Attribute("x2", "100%"), .px("y1", pixel(tick)),
                            .px("y2", pixel(tick)))
                    }
                }
                for (index, bar) in bars.enumerated() { drawing(bar, index) }
            }
        }
    }

    private func drawing(_ bar: Bar, _ index: Int) -> HTML {
        let width = 1 / Double(bars.count)
        let every = max(1, (bars.count + 9) / 10)
        return g(.class("bar")) {
            svgTitle("\(bar.name): \(percent(bar.value))")
            rect(
                .share("x", (Double(index) + 0.14) * width), .share("width", width * 0.72),
                .px("y", pixel(bar.value)),
                .px("height", Self.height - pixel(bar.value)))
            if index % every == 0 {
                svgText(
                    .class("name"), .share("x", (Double(index) + 0.5) * width), .px("y", Self.height + 18),
                    Attribute("text-anchor", "middle"), text: bars.count <= 6 ? bar.name : bar.short)
            }
        }
    }

    private func pixel(_ value: Double) -> Double {
        Self.top + (1 - scale.place(value)) * (Self.height - Self.top)
    }

    private var label: String {
        guard let most = bars.max(by: { $0.value < $1.value }),
            let least = bars.min(by: { $0.value < $1.value })
        else { return "nothing" }
        return "From \(percent(least.value)) in \(least.name) to \(percent(most.value)) in \(most.name)"
    }
}
