internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

/// A registration that runs, or stopped half way: its phases and how far it is. A script keeps it fresh by the server's
/// events.
struct RunningView: Markup {
    private let status: RegistryStatus

    init(_ status: RegistryStatus) { self.status = status }

    var html: HTML {
        div(.id("running"), Attribute("data-events", "/api/v1/events")) {
            if status.lease != nil || !status.unfinished.isEmpty {
                section(.class("card running")) {
                    h2(status.lease == nil ? "Stopped half way" : "Running now")
                    if let lease = status.lease {
                        p {
                            strong(lease.operation)
                            span(.class("faint")) {
                                " since "
                                when(lease.acquired)
                            }
                        }
                    }
                    for registration in status.unfinished { phases(registration) }
                    div(.class("live"), Attribute("hidden", ""), Attribute("data-live", "")) {
                        progress(Attribute("max", "1"), .label("How far the phase is"))
                        p(.class("faint"))
                    }
                }
            }
        }
    }

    private func phases(_ registration: Registration) -> HTML {
        let all = RegistrationPhase.allCases.filter { $0 != .rescue && $0 != .done }.map(\.rawValue)
        let place = all.firstIndex(of: registration.phase) ?? all.count
        return pieces {
            if status.lease == nil {
                p {
                    strong { name(registration.skill) }
                    span(.class("faint"), text: " stopped in phase \(registration.phase); ")
                    code("pawl register --resume")
                    span(.class("faint"), text: " goes on")
                }
            }
            ol(.class("phases"), .label("Phases of the registration of \(registration.skill)")) {
                for (index, phase) in all.enumerated() {
                    li(
                        .class(index < place ? "past" : index == place ? "now" : "ahead"),
                        index == place ? Attribute("aria-current", "step") : nil, text: phase)
                }
            }
        }
    }
}

/// What is running, on a page of its own: small, for who asks often and without a script.
struct RunningPage: Markup {
    private let status: RegistryStatus

    init(_ site: Site) throws { status = try site.registry.status() }

    var page: Page {
        let isIdle = status.lease == nil && status.unfinished.isEmpty
        return Page(
            title: "Running now", place: .overview,
            content: pieces {
                if isIdle { empty("Nothing is running.", command: "pawl register SKILL") }
                RunningView(status).html
            }, refresh: status.lease == nil ? nil : 5)
    }
}
