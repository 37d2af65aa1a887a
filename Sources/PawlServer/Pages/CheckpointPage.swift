internal import PawlCore
internal import PawlGate
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

/// Everything about a checkpoint.
struct CheckpointPage: Markup {
    private let site: Site
    private let record: Checkpoint
    private let manifest: CheckpointManifest
    private let isMain: Bool
    private let skills: [SkillState]
    private let general: [SkillState]
    private let verdicts: [(digest: Digest, report: VerdictReport)]
    private let stored: StoredSize?
    private let curves: TrainingCurves
    private let weights: WeightView?
    private let children: [Checkpoint]

    init(_ site: Site, _ name: String) throws {
        self.site = site
        let registry = site.registry
        let digest = try registry.resolve(name)
        record = try registry.checkpoint(digest)
        manifest = try registry.manifest(of: digest)
        isMain = try registry.reference(Reference.main)?.checkpoint == digest
        skills = try registry.skills(of: digest)
        general = try registry.generalSuites(of: digest)
        verdicts = try registry.verdicts(of: digest).map {
            ($0.digest, try site.workflow.verdictReport($0.digest))
        }
        let isKept = record.collected == nil
        stored = isKept ? try site.memory.storedSize(of: digest, registry) : nil
        curves = try TrainingCurves(of: manifest, registry)
        let parent = try record.parent.map(registry.checkpoint)
        weights =
            try isKept && parent?.collected == nil
            ? parent.map { try WeightView(site, from: $0.digest, to: digest) } : nil
        children = try registry.checkpoints().filter { $0.parent == digest }
    }

    var page: Page {
        Page(
            title: "\(Site.label(record)) \(record.digest.short)", place: .timeline,
            content: pieces {
                top
                holds
                for (index, verdict) in verdicts.enumerated() {
                    section(.class("card")) {
                        h2(index == 0 ? "Verdict" : "Earlier verdict")
                        VerdictView(
                            digest: verdict.digest, report: verdict.report,
                            caption: "Verdict \(verdict.digest.short)"
                        ).html
                    }
                }
                if record.origin == .register {
                    section(.class("card")) {
                        h2("Training")
                        TrainingView(curves: curves, manifest: manifest).html
                    }
                }
                if let weights {
                    section(.class("card")) {
                        h2("Changed weights")
                        weights.html
                    }
                }
                recipe
                commands
            })
    }

    private var top: HTML {
        section(.class("card")) {
            h2(.class("unseen"), text: "What it is")
            p(.class("decision")) {
                badge(record.status)
                isMain ? span(.class("tag"), text: "main: this one serves") : nil
            }
            p(.class("full-digest")) { code(record.digest.hex) }
            facts(lineage + room)
        }
    }

    private var lineage: [(String, HTML)] {
        var list: [(String, HTML)] = [
            ("Parent", record.parent.map { checkpointLink($0) } ?? HTML("none: this is the base")),
            ("Made", when(record.created)), ("Came by", HTML(record.origin.rawValue)),
        ]
        if let acquisition = record.acquisition {
            list.append(("Acquired", pieces { name("\(acquisition.skill) \(acquisition.version)") }))
        }
        if let engine = record.engine { list.append(("Engine", HTML("\(engine.name) \(engine.version)"))) }
        if !children.isEmpty {
            list.append(
                (
                    "Trained from it",
                    pieces {
                        for child in children {
                            span(.class("child")) {
                                checkpointLink(child.digest)
                                badge(child.status)
                            }
                        }
                    }
                ))
        }
        if let parent = record.parent {
            let link = Link(["compare"], query: [("from", parent.hex), ("to", record.digest.hex)])
            list.append(("Beside its parent", a(.href(link), text: "compare")))
        }
        return list
    }

    private var room: [(String, HTML)] {
        guard let stored else { return [("Size", HTML("the weights were collected (pawl gc)"))] }
        let share = percent(Double(stored.storedBytes) / Double(max(1, stored.logicalBytes)))
        return [
            ("Size of its files", HTML(Figure.bytes(stored.logicalBytes))),
            ("Stored in", HTML("\(Figure.bytes(stored.storedBytes)), \(share) of it")),
            (
                "Needs besides",
                HTML(stored.baseBytes == 0 ? "nothing" : "\(Figure.bytes(stored.baseBytes)) of others")
            ),
            ("Longest chain", HTML(Figure.count(stored.depths.count, "encoding"))),
        ]
    }

    private var holds: HTML {
        section(.class("card")) {
            h2("What it holds")
            if skills.isEmpty && general.isEmpty {
                empty("No skill and no general suite.")
            } else {
                SkillTable(
                    skills: skills, general: general, caption: "Skills and general suites of the checkpoint"
                ).html
            }
        }
    }

    private var recipe: HTML {
        section(.class("card")) {
            h2("Recipe and provenance")
            if record.recipe == nil && manifest.details == nil {
                empty("Nothing was written down: it was not trained here.")
            }
            if let recipe = record.recipe { Fields(recipe).html }
            if let details = manifest.details { provenance(details) }
        }
    }

    private func provenance(_ value: JSONValue) -> HTML {
        details(.class("numbers")) {
            summary("Provenance: what it was made of, and by what")
            Fields(value).html
        }
    }

    private var commands: HTML {
        let short = record.digest.short
        return section(.class("card")) {
            h2("In the terminal")
            command("pawl show \(short)")
            if record.collected == nil { command("pawl export \(short) DIR") }
            if record.parent != nil { command("pawl diff \(short)~1 \(short)") }
            if !verdicts.isEmpty {
                command("pawl gate explain \(short)")
                command("pawl gate replay \(short)")
            }
            if !isMain, record.status == .accepted || record.status == .base {
                command("pawl rollback --to \(short)")
            }
            if record.status == .rejected || record.status == .inconclusive {
                command("pawl promote \(short) --waive REASON")
            }
        }
    }
}

/// An open JSON object as a list of fields: nested members by their path.
struct Fields: Markup {
    let rows: [(key: String, value: String)]

    init(_ value: JSONValue) {
        var rows: [(key: String, value: String)] = []
        Self.flatten(value, "", into: &rows)
        self.rows = rows
    }

    /// Texts longer than this are cut: the whole one is in `pawl show --json`.
    private static let longest = 160

    private static func flatten(
        _ value: JSONValue, _ path: String, into rows: inout [(key: String, value: String)]
    ) {
        switch value {
        case .object(let members):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                flatten(member, path.isEmpty ? key : "\(path).\(key)", into: &rows)
            }
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                flatten(element, "\(path)[\(index)]", into: &rows)
            }
        default: rows.append((path, text(value)))
        }
    }

    private static func text(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): text.count > longest ? text.prefix(longest) + "\u{2026}" : text
        case .int(let number): "\(number)"
        case .double(let number): "\(number)"
        case .bool(let flag): flag ? "yes" : "no"
        default: "none"
        }
    }

    var html: HTML {
        dl(.class("fields")) {
            for row in rows {
                div {
                    dt(row.key)
                    dd(row.value)
                }
            }
        }
    }
}
