internal import Foundation
internal import PawlCore
public import PawlRegistry

/// Scores along main's line as an SVG image: one curve a suite, with 95% intervals; nothing in it needs a network.
public struct ScorePlot: Sendable {
    /// The matrix that is drawn: rows from left to right.
    private let matrix: Matrix

    private static let width = 900.0
    private static let height = 460.0
    private static let left = 60.0
    private static let right = 190.0
    private static let top = 40.0
    private static let bottom = 90.0
    /// Okabe and Ito's colours, told apart by colour-blind readers; the marks differ as well.
    private static let colours = [
        "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
    ]

    /// Prepares a plot of checkpoints in the order of their line.
    public init(_ matrix: Matrix) { self.matrix = matrix }

    /// The image.
    public var svg: String {
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
            font-family="sans-serif" font-size="12">
            <title>Scores of each checkpoint of main's line</title>
            <rect width="100%" height="100%" fill="#ffffff"/>
            """
        ]
        parts += axes
        let ends = labelPlaces
        for (index, suite) in matrix.suites.enumerated() {
            parts += curve(of: suite, index, label: ends[index])
        }
        return (parts + ["</svg>", ""]).joined(separator: "\n")
    }

    private var axes: [String] {
        let right = Self.width - Self.right
        let grid = stride(from: 0.0, through: 1, by: 0.25).map { value in
            """
            <line x1="\(Self.left)" y1="\(number(y(value)))" x2="\(right)" y2="\(number(y(value)))" stroke="#dddddd"/>\
            <text x="\(Self.left - 8)" y="\(number(y(value) + 4))" text-anchor="end">\(Int(value * 100))%</text>
            """
        }
        let ticks = matrix.checkpoints.enumerated().map { place, checkpoint in
            let name = checkpoint.acquisition?.skill ?? (checkpoint.parent == nil ? "base" : "import")
            let at = "\(number(x(place))) \(number(Self.height - Self.bottom + 16))"
            return """
                <text transform="translate(\(at)) rotate(30)">\(escaped(name)) \
                <tspan fill="#666666">\(checkpoint.digest.hex.prefix(8))</tspan></text>
                """
        }
        return grid + ticks
    }

    private func curve(of suite: SuiteRecord, _ index: Int, label: Double?) -> [String] {
        let colour = Self.colours[index % Self.colours.count]
        let points = matrix.checkpoints.enumerated().compactMap { place, checkpoint in
            matrix[checkpoint.digest, suite.digest].map { (x(place), $0) }
        }
        guard let last = points.last, let label else { return [] }
        let path = points.map { "\(number($0.0)),\(number(y($0.1.score)))" }.joined(separator: " ")
        let marks = points.map { place, cell in
            """
            <line x1="\(number(place))" y1="\(number(y(cell.lower)))" x2="\(number(place))" \
            y2="\(number(y(cell.upper)))" stroke="\(colour)" stroke-opacity="0.5"/>\(mark(index, place, y(cell.score), colour))
            """
        }
        return [
            #"<polyline points="\#(path)" fill="none" stroke="\#(colour)" stroke-width="2"/>"#
        ] + marks + [
            """
            \(mark(index, Self.width - Self.right + 16, label, colour))\
            <text x="\(number(Self.width - Self.right + 26))" y="\(number(label + 4))" fill="#222222">\
            \(escaped(suite.name)) \(String(format: "%.1f%%", last.1.score * 100))</text>
            """
        ]
    }

    private func mark(_ index: Int, _ x: Double, _ y: Double, _ colour: String) -> String {
        switch index % 3 {
        case 0: #"<circle cx="\#(number(x))" cy="\#(number(y))" r="4" fill="\#(colour)"/>"#
        case 1:
            #"<rect x="\#(number(x - 4))" y="\#(number(y - 4))" width="8" height="8" fill="\#(colour)"/>"#
        default:
            """
            <polygon points="\(number(x)),\(number(y - 5)) \(number(x + 5)),\(number(y + 4)) \
            \(number(x - 5)),\(number(y + 4))" fill="\(colour)"/>
            """
        }
    }

    /// Where each curve's label stands: at its last point, moved so that no two overlap.
    private var labelPlaces: [Double?] {
        let ends = matrix.suites.map { suite in
            matrix.checkpoints.last { matrix[$0.digest, suite.digest] != nil }
                .flatMap { matrix[$0.digest, suite.digest] }.map { y($0.score) }
        }
        var places = ends
        var free = Self.top
        for index in ends.indices.filter({ ends[$0] != nil }).sorted(by: { (ends[$0] ?? 0) < (ends[$1] ?? 0) }
        ) {
            let place = max(ends[index] ?? 0, free)
            places[index] = place
            free = place + 15
        }
        return places
    }

    private func x(_ place: Int) -> Double {
        let span = Self.width - Self.left - Self.right
        let count = matrix.checkpoints.count
        return Self.left + (count > 1 ? span * Double(place) / Double(count - 1) : span / 2)
    }

    private func y(_ score: Double) -> Double {
        Self.top + (1 - score) * (Self.height - Self.top - Self.bottom)
    }

    private func number(_ value: Double) -> String { String(format: "%.1f", value) }

    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }
}
