internal import PawlCore
internal import PawlGate
internal import PawlRegistry
internal import PawlStore
internal import PawlWorkflow

/// The registry at a glance: what serves, what it holds, the last verdict, the room it takes, what is running.
struct OverviewPage: Markup {
    private let site: Site
    private let status: RegistryStatus
    private let main: Checkpoint?
    private let skills: [SkillState]
    private let general: [SkillState]
    private let verdict: (digest: Digest, report: VerdictReport)?
    private let storage: StorageReport?
    private let journal: JournalTable

    init(_ site: Site) throws {
        self.site = site
        let registry = site.registry
        status = try registry.status()
        main = try status.main.map(registry.checkpoint)
        skills = try status.main.map(registry.skills(of:)) ?? []
        general = try status.main.map(registry.generalSuites(of:)) ?? []
        verdict = try registry.allVerdicts().last.map { ($0, try site.workflow.verdictReport($0)) }
        storage = main == nil ? nil : try site.memory.storage(site.workflow)
        journal = try JournalTable(site, registry.recentEntries(6))
    }

    var page: Page {
        Page(
            title: site.name, place: .overview,
            content: pieces {
                if main == nil {
                    empty("The registry has no base yet.", command: "pawl init --base DIR")
                } else {
                    tiles
                    RunningView(status).html
                    section(.class("card")) {
                        h2("What main holds")
                        if skills.isEmpty { empty("No skill yet.", command: "pawl register SKILL") }
                        if !skills.isEmpty || !general.isEmpty {
                            SkillTable(
                                skills: skills, general: general, caption: "Skills and general suites of main"
                            )
                            .html
                        }
                    }
                    lastVerdict
                    recent
                }
            })
    }

    private var tiles: HTML {
        div(.class("tiles")) {
            if let main {
                tile("Main") {
                    checkpointLink(main.digest)
                } note: {
                    badge(main.status)
                    name(Site.label(main))
                }
            }
            tile("Skills held", "\(status.skills["held"] ?? 0) of \(status.skills.values.reduce(0, +))") {
                Figure.count(status.generalSuites, "general suite")
                " guarded"
            }
            if let verdict {
                tile("Last verdict") {
                    badge(verdict.report.decision.record)
                } note: {
                    checkpointLink(verdict.report.candidate)
                    when(verdict.report.created)
                }
            }
            if let storage {
                tile("Stored", Figure.bytes(storage.storedBytes)) {
                    let logical = storage.entries.reduce(0) { $0 + $1.use.logicalBytes }
                    "\(Figure.count(storage.entries.count, "checkpoint")) of \(Figure.bytes(logical))"
                }
            }
        }
    }

    private func tile(
        _ title: String, @HTMLBuilder value: () -> HTML, @HTMLBuilder note: () -> HTML
    ) -> HTML {
        div(.class("tile")) {
            h2(title)
            p(.class("value"), content: value)
            p(.class("note"), content: note)
        }
    }

    private func tile(_ title: String, _ value: String, @HTMLBuilder note: () -> HTML) -> HTML {
        tile(title, value: { value }, note: note)
    }

    private var lastVerdict: HTML {
        section(.class("card")) {
            if let verdict {
                h2 {
                    "Last verdict: "
                    name(verdict.report.skill?.name ?? verdict.report.candidate.short)
                }
                VerdictView(digest: verdict.digest, report: verdict.report, caption: "The last verdict").html
            } else {
                h2("Last verdict")
                empty("Nothing was judged yet.")
            }
        }
    }

    private var recent: HTML {
        section(.class("card")) {
            h2("Latest entries of the journal")
            journal.html("Latest entries of the journal")
            p { a(.href(Link(["journal"])), text: "The whole journal") }
        }
    }
}
