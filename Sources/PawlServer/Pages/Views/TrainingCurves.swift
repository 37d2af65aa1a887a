internal import PawlCore
internal import PawlRegistry
internal import PawlStore

/// What an engine said of each step of a training, read from the conversation that is kept as evidence.
struct TrainingCurves: Sendable {
    /// The figures of a step by name.
    struct Step: Sendable, Equatable {
        var number: Int
        var metrics: [String: Double]
    }

    let steps: [Step]

    /// The steps of the training that made a checkpoint; none where the engine left no record of them.
    init(of manifest: CheckpointManifest, _ registry: Registry) throws {
        guard let name = manifest.details?["training"]?["transcript"]?.string, let digest = Digest(hex: name),
            registry.store.hasDocument(digest)
        else {
            steps = []
            return
        }
        steps = Self.steps(in: try registry.store.document(digest))
    }

    /// The progress lines of a conversation. A step that was run twice, since the engine was started again, counts as
    /// it went the last time.
    static func steps(in transcript: [UInt8]) -> [Step] {
        var found: [Int: [String: Double]] = [:]
        for line in JSON.lines(transcript) {
            guard let value = try? JSONParser.parse(line.bytes), let message = value["message"],
                message["type"]?.string == "progress", let number = message["step"]?.int,
                let metrics = message["metrics"]?.object
            else { continue }
            found[number] = metrics.compactMapValues(\.double)
        }
        return found.sorted { $0.key < $1.key }.map { Step(number: $0.key, metrics: $0.value) }
    }

    /// Charts of these figures, each with the curves it holds by the names that engines use.
    static let panels: [(title: String, unit: String, curves: [(key: String, name: String)])] = [
        (
            "Loss", "the divergence from the teacher, in nats a token",
            [("loss", "all"), ("loss_skill", "skill"), ("loss_rehearsal", "rehearsal")]
        ),
        ("Divergence", "from the model before the training", [("kl", "KL"), ("divergence", "divergence")]),
        ("Completion length", "tokens", [("completion_tokens", "mean"), ("completion_length", "mean")]),
        ("Learning rate", "", [("lr", "learning rate"), ("learning_rate", "learning rate")]),
        ("Entropy", "of the student, in nats a token", [("entropy", "entropy")]),
        ("Gradient norm", "before clipping", [("grad_norm", "norm")]),
    ]
}

/// The curves as small charts side by side.
struct TrainingView: Markup {
    let curves: TrainingCurves
    let manifest: CheckpointManifest

    /// Points that are drawn of a curve; more would not be seen.
    private static let points = 300

    var html: HTML {
        pieces {
            if curves.steps.isEmpty {
                p(
                    .class("faint"),
                    text: "The engine left no record of the single steps, only these figures of the last one."
                )
                totals
            } else {
                div(.class("panels")) { for panel in TrainingCurves.panels { self.panel(panel) } }
                details(.class("numbers")) {
                    summary("The numbers")
                    table.html("Figures of each step")
                }
            }
        }
    }

    private func panel(_ panel: (title: String, unit: String, curves: [(key: String, name: String)])) -> HTML
    {
        let present = panel.curves.filter { curve in curves.steps.contains { $0.metrics[curve.key] != nil } }
        guard !present.isEmpty else { return HTML() }
        let series = present.map { curve in
            LineChart.Series(
                name: curve.name,
                points: Self.thinned(
                    curves.steps.compactMap { step in
                        step.metrics[curve.key].map {
                            LineChart.Point(x: Double(step.number), y: $0, title: "", isMarked: false)
                        }
                    }))
        }
        let first = Double(curves.steps.first?.number ?? 0)
        let last = Double(curves.steps.last?.number ?? 1)
        return figure {
            figcaption {
                strong(panel.title)
                span(.class("faint"), text: panel.unit)
            }
            present.count > 1 ? Legend(names: present.map(\.name)).html : nil
            LineChart(
                label: Self.sentence(panel.title, series[0]), series: series,
                x: Scale(from: first, to: max(first + 1, last), ticks: []),
                y: Scale(holding: series.flatMap { $0.points.map(\.y) } + [0]), height: 140,
                format: Figure.compact,
                names: [(first, "step \(Int(first))"), (last, "step \(Int(last))")]
            ).html
        }
    }

    private static func sentence(_ title: String, _ curve: LineChart.Series) -> String {
        guard let first = curve.points.first, let last = curve.points.last else { return title }
        return
            "\(title): \(Figure.compact(first.y)) at step \(Int(first.x)), \(Figure.compact(last.y)) at step \(Int(last.x))"
    }

    /// Every n-th point, and the last.
    private static func thinned(_ points: [LineChart.Point]) -> [LineChart.Point] {
        let every = max(1, (points.count + Self.points - 1) / Self.points)
        return points.enumerated().filter { $0.offset % every == 0 || $0.offset == points.count - 1 }.map(
            \.element)
    }

    private var table: DataTable {
        let keys = Set(curves.steps.flatMap(\.metrics.keys)).sorted()
        var table = DataTable(["Step"] + keys, numbers: Set(0...keys.count))
        for step in curves.steps {
            table.add(
                [.number("\(step.number)")]
                    + keys.map { step.metrics[$0].map { .number(Figure.compact($0)) } ?? .none })
        }
        return table
    }

    private var totals: HTML {
        let metrics = manifest.details?["training"]?["metrics"]?.object ?? [:]
        return dl(.class("fields")) {
            for (key, value) in metrics.sorted(by: { $0.key < $1.key }) {
                if let number = value.double {
                    div {
                        dt(key)
                        dd(Figure.compact(number))
                    }
                }
            }
        }
    }
}
