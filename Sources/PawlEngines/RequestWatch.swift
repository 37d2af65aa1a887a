internal import PawlCore

/// The clocks of one running request.
struct RequestWatch {
    let limits: EngineLimits
    let activity: String
    let manifest: EngineManifest
    private let start = SuspendingClock.now
    private var lastHeard = SuspendingClock.now
    private var stopSent: SuspendingClock.Instant?
    private var hasLookedAgain = false
    /// Why the request is being stopped; nil while it may go on.
    private(set) var reason: PawlError?

    init(limits: EngineLimits, activity: String, manifest: EngineManifest) {
        self.limits = limits
        self.activity = activity
        self.manifest = manifest
    }

    var isStopping: Bool { reason != nil }

    var deadline: SuspendingClock.Instant {
        if let stopSent { return stopSent + limits.cancel }
        let heartbeat = lastHeard + limits.heartbeat
        return limits.total.map { min(heartbeat, start + $0) } ?? heartbeat
    }

    mutating func heard() {
        lastHeard = .now
        hasLookedAgain = false
    }

    /// Asks the engine to stop; the reason is what the caller gets.
    mutating func stop(_ reason: PawlError, _ id: String, _ process: EngineProcess) throws {
        guard self.reason == nil else { return }
        self.reason = reason
        stopSent = .now
        try process.send(["type": "cancel", "id": .string(id)])
    }

    /// A deadline has passed: which one decides what happens.
    mutating func expire(_ id: String, _ process: EngineProcess) throws {
        if let reason { throw EngineSession.Failure.broken(reason) }
        if let total = limits.total, .now >= start + total {
            let error = PawlError(
                .timedOut, "engine \"\(manifest.name)\": \(activity) took longer than \(total.text)")
            return try stop(error, id, process)
        }
        if !hasLookedAgain {
            // A host that was stopped (^Z) wakes after the deadline with messages still unread in the pipe.
            hasLookedAgain = true
            lastHeard = .now - limits.heartbeat + .milliseconds(500)
            return
        }
        throw EngineSession.Failure.broken(
            PawlError(
                .timedOut,
                "engine \"\(manifest.name)\" sent nothing for \(limits.heartbeat.text) during \(activity)",
                hint: "an engine must send progress at least every 30 s, from a thread of its own"))
    }
}
