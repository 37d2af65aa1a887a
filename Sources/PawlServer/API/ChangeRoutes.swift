internal import PawlCore
internal import PawlRegistry
internal import PawlWorkflow

/// What `POST /promotions` takes (schemas/promotion-request.json).
struct PromotionBody: APIBody {
    /// The candidate.
    var checkpoint: String
    /// Why it becomes main without an ACCEPT; nil for a promotion.
    var waive: String?

    static let names: Set<String> = ["checkpoint", "waive"]

    func check() throws {
        let parameter = APIParameter(name: "checkpoint", kind: .checkpoint, description: "")
        try parameter.check(checkpoint)
    }
}

/// What `POST /rollbacks` takes (schemas/rollback-request.json).
struct RollbackBody: APIBody {
    /// Where to go; nil for a skill or one step back.
    var to: String?
    /// Go back to before this skill.
    var skill: String?
    /// Why; the journal keeps it.
    var reason: String?
    /// Whether a rollback that gives up skills is meant (`pawl rollback --yes`).
    var yes: Bool?

    static let names: Set<String> = ["to", "skill", "reason", "yes"]

    func check() throws {
        guard to == nil || skill == nil else {
            throw PawlError(.invalidArgument, "\"to\" and \"skill\" exclude each other")
        }
        if let to { try APIParameter(name: "to", kind: .checkpoint, description: "").check(to) }
        if let skill { try Name.check(skill, "skill") }
    }
}

extension APIAnswers {
    /// What changes the registry; it takes the role operate.
    var changeRoutes: [APIRoute] {
        [
            change(
                ["registrations"], body: "registration-request", .json(202, "registration-summary"),
                "Teach main a skill, in the background (pawl register).",
                description: """
                    Answers once the registration is recorded; /events and /registrations/ID tell how it goes on. 409 \
                    while another one is unfinished ("resume": true goes on with it), 423 while somebody else works on \
                    the registry.
                    """
            ) { request in
                let registration = try await registrar.start(
                    request.body(RegistrationBody.self), client: request.call.client)
                return try Self.json(
                    RegistrationSummary(registration, isRunning: true), status: 202,
                    headers: [(name: "location", value: "/api/v1/registrations/\(registration.id)")])
            },
            change(
                ["registrations", "{registration}", "cancel"], body: nil, .json(202, "registration-summary"),
                "Stop a registration that this server runs; it stays unfinished and can be resumed.",
                parameters: [.path("registration", .registration, "Its id.")]
            ) { request in
                let id = try request.required("registration")
                let registration = try registry.registration(id)
                try registrar.cancel(registration)
                return try Self.json(RegistrationSummary(registration, isRunning: true), status: 202)
            },
            change(
                ["promotions"], body: "promotion-request", .json(200, "move"),
                "Make an accepted candidate main, or overrule the gate with a reason (pawl promote)."
            ) { request in
                let body = try request.body(PromotionBody.self)
                let workflow = acting(for: request.call)
                return try await Parallel.blocking {
                    let checkpoint = try resolve(body.checkpoint).hex
                    return try Self.moving { try workflow.promote(checkpoint, waiver: body.waive) }
                }
            },
            change(
                ["rollbacks"], body: "rollback-request", .json(200, "move"),
                "Take main back (pawl rollback).",
                description:
                    "409 where it would give up skills and \"yes\" is not true: the detail says which."
            ) { request in
                let body = try request.body(RollbackBody.self)
                let workflow = acting(for: request.call)
                return try await Parallel.blocking {
                    var body = body
                    body.to = try body.to.map { try resolve($0).hex }
                    return try Self.moving { try Self.rollBack(workflow, body) }
                }
            },
        ]
    }

    /// The entry of a move. What the command line calls wrong usage is here a conflict with where main is.
    private static func moving(_ move: () throws -> JournalEntry) throws -> Reply {
        do {
            return try json(move())
        } catch let error as PawlError where error.code == .usage {
            throw PawlError(.conflict, error.message, hint: error.hint)
        }
    }

    private static func rollBack(_ workflow: Workflow, _ body: RollbackBody) throws -> JournalEntry {
        let plan = try workflow.rollbackPlan(to: body.to, skill: body.skill)
        if let consequence = plan.consequence, body.yes != true {
            throw PawlError(
                .conflict, "not rolled back to \(plan.target.short): \(consequence)",
                hint: "\"yes\": true does it all the same")
        }
        return try workflow.rollback(plan, reason: body.reason ?? "rolled back on request")
    }

    /// The use cases with the name of a request's token in the journal.
    private func acting(for call: Call) -> Workflow { workflow.acting(as: call.client) }

    private func change(
        _ path: [String], body: String?, _ answer: APIRoute.Answer, _ summary: String,
        description: String? = nil,
        parameters: [APIParameter] = [], _ run: @escaping @Sendable (APIRequest) async throws -> Reply
    ) -> APIRoute {
        APIRoute(
            method: "POST", path: path, role: .operate, summary: summary, description: description,
            parameters: parameters, body: body, answer: answer, run: run)
    }
}

extension Workflow {
    /// The same use cases, whose changes the journal shows as made by a token.
    func acting(
        as client: String?, progress: @escaping ProgressHandler = { _ in },
        notice: @escaping @Sendable (String) -> Void = { _ in }
    ) -> Workflow {
        var registry = registry
        if let client { registry.actor = "\(client)@api" }
        return Workflow(registry: registry, progress: progress, notice: notice)
    }
}
