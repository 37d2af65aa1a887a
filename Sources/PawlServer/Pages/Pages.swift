internal import PawlCore
public import PawlRegistry
internal import PawlWorkflow

/// The pages that people look at: HTML made on the server, drawings as SVG in it, readable without a script.
///
/// Whatever is wrong with a question for a page is answered as a page, with the status of its code.
public struct Pages: Handler {
    private let site: Site

    /// Pages of a registry.
    public init(registry: Registry) {
        site = Site(workflow: Workflow(registry: registry), memory: PageMemory())
    }

    public func reply(to call: Call) async throws -> Reply? {
        guard let route = Route(call.path) else { return nil }
        guard ["GET", "HEAD"].contains(call.method) else {
            return Reply(
                405, type: "text/plain; charset=utf-8", headers: [(name: "allow", value: "GET, HEAD")],
                .bytes(Array("only GET and HEAD\n".utf8)))
        }
        if case .asset(let name) = route { return Asset.named(name)?.reply }
        // Pages read files and the database; the threads of the pool are for those who do not wait.
        return try await Parallel.blocking { [site] in
            Self.reply(Self.page(route, call, site), site)
        }
    }

    private static func page(_ route: Route, _ call: Call, _ site: Site) -> Page {
        do {
            return try route.page(call, site)
        } catch {
            return ErrorPage(error as? PawlError ?? PawlError(.internalError, "\(error)", underlying: error))
                .page
        }
    }

    private static func reply(_ page: Page, _ site: Site) -> Reply {
        Reply(
            page.status, type: "text/html; charset=utf-8",
            headers: page.refresh.map { [(name: "refresh", value: "\($0)")] } ?? [],
            .bytes(Array(Layout(site: site.name).document(page).markup.utf8)))
    }
}

/// Which page a path means.
enum Route: Equatable {
    case overview, running, timeline, skills, drift, compare, storage, journal, playground
    case checkpoint(String)
    case flips(String)
    case weights(String)
    case asset(String)

    /// Nil where the path is no page's.
    init?(_ path: [String]) {
        switch (path.count, path.first) {
        case (0, _): self = .overview
        case (1, "running"): self = .running
        case (1, "timeline"): self = .timeline
        case (1, "skills"): self = .skills
        case (1, "drift"): self = .drift
        case (1, "compare"): self = .compare
        case (1, "storage"): self = .storage
        case (1, "journal"): self = .journal
        case (1, "playground"): self = .playground
        case (2, "checkpoints"): self = .checkpoint(path[1])
        case (3, "checkpoints") where path[2] == "flips": self = .flips(path[1])
        case (3, "checkpoints") where path[2] == "weights": self = .weights(path[1])
        case (2, "assets"): self = .asset(path[1])
        default: return nil
        }
    }

    func page(_ call: Call, _ site: Site) throws -> Page {
        switch self {
        case .overview: try OverviewPage(site).page
        case .running: try RunningPage(site).page
        case .timeline: try TimelinePage(site).page
        case .skills: try SkillsPage(site).page
        case .drift: try DriftPage(site).page
        case .compare: try ComparePage(site, call.query).page
        case .storage: try StoragePage(site).page
        case .journal: try JournalPage(site, call.query).page
        case .playground: try PlaygroundPage(site).page
        case .checkpoint(let name): try CheckpointPage(site, name).page
        case .flips(let name): try FlipsPage(site, name, call.query).page
        case .weights(let name): try WeightsPage(site, name, call.query).page
        case .asset: throw PawlError(.notFound, "there is no such file")
        }
    }
}

/// What went wrong, for people.
struct ErrorPage: Markup {
    private let error: PawlError

    init(_ error: PawlError) { self.error = error }

    var page: Page {
        Page(
            title: error.code == .notFound ? "Not found" : "This did not work", place: .nowhere,
            content: div(.class("empty")) {
                p(error.message)
                if let hint = error.hint { p(.class("faint"), text: hint) }
                p { a(.href(Link([])), text: "Back to the overview") }
            }, status: error.code.httpStatus)
    }
}
