internal import PawlCore
internal import PawlRegistry
internal import PawlStore

/// How many weights of each layer differ between two checkpoints; counted in the background, since all are read.
struct WeightView: Markup {
    private let site: Site
    private let pair: WeightPair
    private let count: WeightCount?
    /// Bytes that a count reads.
    private let bytes: Int

    /// Below this the count is started without being asked for.
    private static let smallEnough = 1_000_000_000

    /// - Parameter isAsked: somebody asked for the count, whatever it reads.
    init(_ site: Site, from: Digest, to: Digest, isAsked: Bool = false) throws {
        self.site = site
        pair = WeightPair(from: from, to: to)
        bytes =
            try site.registry.store.tree(from).logicalBytes + site.registry.store.tree(to).logicalBytes
        count =
            isAsked || bytes <= Self.smallEnough
            ? site.memory.start(pair, site.workflow) : site.memory.count(pair)
    }

    var isRunning: Bool { count?.isRunning ?? false }

    private var address: Link {
        Link(["checkpoints", pair.to.hex, "weights"], query: [("from", pair.from.hex)])
    }

    /// The chart, or how to get it. A script puts the finished one in its place.
    var html: HTML {
        div(.id("weights"), isRunning ? Attribute("data-await", address.text) : nil) {
            switch count {
            case .done(let changes): chart(changes)
            case .running:
                p(.class("faint")) {
                    "The weights are being counted. "
                    a(.href(address), text: "Wait for them")
                }
            case .failed(let reason): p(text: "The weights could not be counted: \(reason)")
            case nil:
                p {
                    a(.class("button"), .href(address), text: "Count the changed weights")
                    span(.class("faint"), text: " reads \(Figure.bytes(bytes))")
                }
            }
        }
    }

    private func chart(_ changes: LayerChanges) -> HTML {
        pieces {
            p {
                strong(percent(Double(changes.changed) / Double(max(1, changes.elements))))
                " of \(Figure.grouped(changes.elements)) weights changed, in \(Figure.count(changes.tensors, "tensor"));"
                " \(Figure.count(changes.equalTensors, "tensor")) equal."
            }
            if !changes.layers.isEmpty {
                figure {
                    figcaption {
                        strong("Share of weights that changed, by layer")
                        span(.class("faint"), text: "of the tensors that differ")
                    }
                    ShareBars(
                        changes.layers.map {
                            .init(
                                name: $0.name, short: $0.number.map(String.init) ?? "\u{2022}",
                                value: Double($0.changed) / Double(max(1, $0.elements)))
                        }
                    ).html
                }
                numbers("Changed weights by layer", table(changes))
            }
        }
    }

    private func table(_ changes: LayerChanges) -> DataTable {
        var table = DataTable(["Layer", "Tensors", "Weights", "Changed", "Share"], numbers: [1, 2, 3, 4])
        for layer in changes.layers {
            table.add(
                .text(layer.name), .number("\(layer.tensors)"), .number(Figure.grouped(layer.elements)),
                .number(Figure.grouped(layer.changed)),
                .number(percent(Double(layer.changed) / Double(max(1, layer.elements)))))
        }
        return table
    }
}

/// A page of its own for the count, which asks again until it is done.
struct WeightsPage: Markup {
    private let checkpoint: Digest
    private let view: WeightView

    init(_ site: Site, _ name: String, _ query: [String: String]) throws {
        checkpoint = try site.registry.resolve(name)
        let parent = try site.registry.checkpoint(checkpoint).parent
        guard let from = try query["from"].map(site.registry.resolve) ?? parent else {
            throw PawlError(.notFound, "\(checkpoint.short) is the base: it has no parent to compare with")
        }
        view = try WeightView(site, from: from, to: checkpoint, isAsked: true)
    }

    var page: Page {
        Page(
            title: "Changed weights of \(checkpoint.short)", place: .timeline,
            content: section(.class("card")) {
                view.html
                p { a(.href(.checkpoint(checkpoint)), text: "Back to the checkpoint") }
            }, refresh: view.isRunning ? 2 : nil)
    }
}
