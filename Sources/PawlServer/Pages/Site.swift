internal import Foundation
internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

/// What a page is made from: one registry and its use cases.
struct Site: Sendable {
    let workflow: Workflow
    /// What was counted before and does not change.
    let memory: PageMemory

    var registry: Registry { workflow.registry }

    /// What people call the registry: the name of its directory, or of the one around it where that says nothing.
    var name: String {
        let last = registry.root.lastPathComponent
        return last == ".pawl" || last == "registry"
            ? registry.root.deletingLastPathComponent().lastPathComponent : last
    }

    /// What a checkpoint is called beside its digest: the skill it acquired, or how it came here.
    static func label(_ checkpoint: Checkpoint) -> String {
        if let skill = checkpoint.acquisition?.skill { return skill }
        return checkpoint.parent == nil ? "base" : "import"
    }
}

/// A page before the frame is put around it.
struct Page {
    /// Stands in the title bar and as the heading.
    var title: String
    /// The entry of the navigation that it belongs to.
    var place: Place
    /// Everything below the heading.
    var content: HTML
    /// Seconds after which it is asked for again, while something is still being counted.
    var refresh: Int?
    /// HTTP status.
    var status = 200

    /// The entries of the navigation.
    enum Place: String, CaseIterable {
        case overview, timeline, skills, drift, compare, storage, journal, playground, nowhere

        /// Where it is.
        var link: Link { self == .overview ? Link([]) : Link([rawValue]) }
    }
}
