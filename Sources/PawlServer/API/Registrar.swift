internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlGate
internal import PawlRegistry
internal import PawlWorkflow
internal import Synchronization

/// What `POST /registrations` takes (schemas/registration-request.json).
struct RegistrationBody: APIBody {
    /// Name of the skill; with `resume` it may be left out.
    var skill: String?
    /// Name of the engine; native unless given.
    var engine: String?
    /// Recipe keys that replace the skill's own.
    var recipe: [String: JSONValue]?
    /// Most trainings, each at half the learning rate.
    var attempts: Int?
    /// Look for an accepted point between the weights after a REJECT.
    var rescue: Bool?
    /// Go on where the probe, an automatic margin or a canary says stop.
    var force: Bool?
    /// Go on with an unfinished registration.
    var resume: Bool?

    static let names: Set<String> = ["skill", "engine", "recipe", "attempts", "rescue", "force", "resume"]

    func check() throws {
        if let skill { try Name.check(skill, "skill") }
        if let engine { try Name.check(engine, "engine") }
        guard skill != nil || resume == true else {
            throw PawlError(.invalidArgument, "name a \"skill\", or give \"resume\": true")
        }
        guard (1...10).contains(attempts ?? 1) else {
            throw PawlError(.invalidArgument, "\(attempts ?? 0) attempts: give 1 to 10")
        }
    }
}

/// Runs one registration at a time in the background, as `pawl register` does.
final class Registrar: Sendable {
    private struct Running {
        let task: Task<Void, Never>
        var id: String?
    }

    private let workflow: Workflow
    private let events: EventHub
    private let running = Mutex<Running?>(nil)

    init(workflow: Workflow, events: EventHub) {
        self.workflow = workflow
        self.events = events
    }

    /// The registration that runs here.
    var runningID: String? { running.withLock { $0?.id } }

    /// Starts a registration and returns when it is recorded: what is wrong with the skill, the recipe or the moment is
    /// thrown; what happens later is told by events.
    func start(_ body: RegistrationBody, client: String?) async throws -> Registration {
        let workflow = workflow
        let work = try await Parallel.blocking { try Self.work(body, workflow) }
        let (starts, start) = AsyncThrowingStream.makeStream(of: Registration.self)
        let acting = workflow.acting(
            as: client, progress: { [events] in events.publish($0) },
            notice: { [weak self] line in self?.notice(line, start) })
        try running.withLock { running in
            guard running == nil else {
                throw PawlError(
                    .locked, "this server is running a registration already",
                    hint: "wait for it, or cancel it")
            }
            // Whoever asks a model or reads a page meanwhile goes first.
            running = Running(
                task: Task {
                    await Parallel.$isPatient.withValue(true) { await self.run(work, acting, start) }
                })
        }
        guard let registration = try await starts.first(where: { _ in true }) else {
            throw PawlError(.internalError, "the registration ended before it began")
        }
        return registration
    }

    /// What a body asks for, its skill read and checked.
    private static func work(_ body: RegistrationBody, _ workflow: Workflow) throws
        -> @Sendable (Workflow) async throws -> RegistrationReport
    {
        if let holder = try workflow.registry.leaseHolder() {
            throw PawlError(
                .locked, "the registry is busy with \"\(holder.operation)\" by \(holder.owner)",
                hint: "wait for it")
        }
        let skill = try body.skill.map {
            try SkillFolder(loading: workflow.folders.require(.skill, $0).folder)
        }
        let options = RegisterOptions(
            engine: body.engine ?? NativeEngine.name, recipe: body.recipe ?? [:], force: body.force ?? false,
            attempts: body.attempts ?? 1, rescue: body.rescue ?? false)
        let isResumed = body.resume ?? false
        return { workflow in
            if isResumed {
                let name = skill?.manifest.name
                let report = try await workflow.resume(name, recipe: options.recipe, engine: body.engine)
                if let report { return report }
            }
            guard let skill else { throw PawlError(.notFound, "there is no unfinished registration") }
            return try await workflow.register(skill, options: options)
        }
    }

    private func run(
        _ work: @Sendable (Workflow) async throws -> RegistrationReport, _ workflow: Workflow,
        _ start: AsyncThrowingStream<Registration, any Error>.Continuation
    ) async {
        do {
            let report = try await work(workflow)
            end(report.registration)
            if let registration = try? workflow.registry.registration(report.registration) {
                start.yield(registration)
            }
            start.finish()
        } catch {
            let failure = error as? PawlError ?? PawlError(.cancelled, "the registration was cancelled")
            end(running.withLock { $0?.id })
            events.publish(failure)
            start.finish(throwing: failure)
        }
    }

    /// A phase began: by now the registration is recorded.
    private func notice(_ line: String, _ start: AsyncThrowingStream<Registration, any Error>.Continuation) {
        guard RegistrationPhase(rawValue: line) != nil,
            let registration = try? workflow.registry.unfinishedRegistrations().first
        else { return events.note(line) }
        running.withLock { $0?.id = registration.id }
        events.publish(RegistrationSummary(registration, isRunning: true))
        start.yield(registration)
    }

    private func end(_ id: String?) {
        running.withLock { $0 = nil }
        guard let id, let registration = try? workflow.registry.registration(id) else { return }
        events.publish(RegistrationSummary(registration, isRunning: false))
    }

    /// Stops the registration that runs; `conflict` where it is not this one.
    func cancel(_ registration: Registration) throws {
        let task = running.withLock { $0?.id == registration.id ? $0?.task : nil }
        guard let task else {
            let state = registration.finished == nil ? "this server does not run it" : "it is over"
            throw PawlError(.conflict, "registration \(registration.id) cannot be cancelled: \(state)")
        }
        task.cancel()
    }

    /// Cancels what runs and waits until it has ended; it can be resumed.
    func stop() async {
        let task = running.withLock { $0?.task }
        task?.cancel()
        await task?.value
    }
}
