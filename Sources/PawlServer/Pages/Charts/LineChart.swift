internal import PawlCore

/// Curves over steps or checkpoints. Widths are shares of the drawing and heights pixels, so text keeps its size on
/// every screen.
struct LineChart: Markup {
    /// A value at a place.
    struct Point {
        var x: Double
        var y: Double
        /// Ends of its interval.
        var interval: ClosedRange<Double>?
        /// What it is called when it is pointed at.
        var title: String
        /// Whether it is marked by a dot.
        var isMarked = true
        /// Drawn hollow: measured, but not on the line that serves.
        var tone: Tone?
    }

    /// A curve.
    struct Series {
        var name: String
        var points: [Point]
        /// Fills what is below it.
        var isArea = false
    }

    /// A level to compare with.
    struct Level {
        var y: Double
        var name: String
        /// `margin` is drawn as the line that must not be crossed.
        var isMargin = false
    }

    /// What it shows, for those who do not see it.
    var label: String
    var series: [Series]
    var levels: [Level] = []
    var x: Scale
    var y: Scale
    var height = 180.0
    /// How a value on the vertical axis is written.
    var format: (Double) -> String
    /// Labels of the horizontal axis.
    var names: [(x: Double, text: String)]

    private static let top = 12.0
    private static let foot = 26.0

    /// The vertical coordinate of a value, in pixels from the top.
    func pixel(_ value: Double) -> Double { Self.top + (1 - y.place(value)) * (height - Self.top) }

    var html: HTML {
        div(.class("plot"), .role("img"), .label(label)) {
            svg(.class("scale"), .px("width", 52), .px("height", height + Self.foot)) {
                for tick in y.ticks {
                    svgText(
                        .px("x", 44), .px("y", pixel(tick) + 4), Attribute("text-anchor", "end"),
                        text: format(tick))
                }
            }
            svg(.class("area"), Attribute("width", "100%"), .px("height", height + Self.foot)) {
                grid
                for (index, curve) in series.enumerated() { lines(curve, index) }
                for level in levels { self.level(level) }
                for (index, curve) in series.enumerated() { marks(curve, index) }
                labels
            }
        }
    }

    private var grid: HTML {
        g(.class("grid")) {
            for tick in y.ticks {
                line(
                    Attribute("x1", "0"), Attribute("x2", "100%"), .px("y1", pixel(tick)),
                    .px("y2", pixel(tick)),
                    tick == 0 ? .class("zero") : nil)
            }
        }
    }

    private var labels: HTML {
        pieces {
            for name in names {
                let place = x.place(name.x)
                let anchor = place < 0.08 ? "start" : place > 0.92 ? "end" : "middle"
                svgText(
                    .class("name"), .share("x", place), .px("y", height + 18),
                    Attribute("text-anchor", anchor),
                    text: name.text)
            }
        }
    }

    /// Stretched to the width of the drawing; the stroke is not.
    private func lines(_ curve: Series, _ index: Int) -> HTML {
        svg(
            Attribute("width", "100%"), .px("height", height),
            Attribute("viewBox", "0 0 1000 \(Int(height))"),
            Attribute("preserveAspectRatio", "none")
        ) {
            if curve.isArea, let first = curve.points.first, let last = curve.points.last {
                polygon(
                    .class("fill s\(index % 6)"),
                    Attribute(
                        "points",
                        ([corner(first.x, y.lower)] + curve.points.map { corner($0.x, $0.y) }
                            + [corner(last.x, y.lower)]).joined(separator: " ")))
            }
            polyline(
                .class("curve s\(index % 6)"), Attribute("vector-effect", "non-scaling-stroke"),
                Attribute("points", curve.points.map { corner($0.x, $0.y) }.joined(separator: " ")))
        }
    }

    private func corner(_ atX: Double, _ atY: Double) -> String {
        "\(Figure.coordinate(x.place(atX) * 1000)),\(Figure.coordinate(pixel(atY)))"
    }

    private func level(_ level: Level) -> HTML {
        g(.class(level.isMargin ? "level margin" : "level")) {
            line(
                Attribute("x1", "0"), Attribute("x2", "100%"), .px("y1", pixel(level.y)),
                .px("y2", pixel(level.y)))
            svgText(
                Attribute("x", "100%"), .px("y", pixel(level.y) - 5), Attribute("text-anchor", "end"),
                text: level.name)
        }
    }

    private func marks(_ curve: Series, _ index: Int) -> HTML {
        g(.class("marks s\(index % 6)")) {
            for point in curve.points where point.isMarked {
                g(point.tone.map { .class("tone-\($0.rawValue)") }) {
                    svgTitle(point.title)
                    if let interval = point.interval {
                        line(
                            .class("interval"), .share("x1", x.place(point.x)),
                            .share("x2", x.place(point.x)),
                            .px("y1", pixel(interval.upperBound)), .px("y2", pixel(interval.lowerBound)))
                    }
                    circle(.share("cx", x.place(point.x)), .px("cy", pixel(point.y)), .px("r", 4))
                }
            }
        }
    }
}

/// Which curve is which: the stroke as it is drawn, and its name.
struct Legend: Markup {
    let names: [String]

    var html: HTML {
        ul(.class("legend")) {
            for (index, name) in names.enumerated() {
                li {
                    svg(.hidden, Attribute("width", "28"), Attribute("height", "12")) {
                        line(
                            .class("curve s\(index % 6)"), Attribute("x1", "1"), Attribute("x2", "27"),
                            Attribute("y1", "6"), Attribute("y2", "6"))
                    }
                    name
                }
            }
        }
    }
}
