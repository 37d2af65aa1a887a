internal import Foundation
internal import Logging
internal import PawlCore

/// A conversation with one running engine: handshake, requests, end.
struct EngineSession: Sendable {
    let process: EngineProcess
    let manifest: EngineManifest
    private var limits: EngineLimits { process.launch.limits }
    private var inbox: Inbox { process.inbox }

    /// Why a conversation ended early, before the process's own end is known.
    enum Failure: Error {
        /// An error that is complete in itself; the engine behaved and is asked to shut down.
        case answered(PawlError)
        /// The engine broke the protocol or a limit and is ended by force.
        case broken(PawlError)
        /// The engine's output ended while an answer was due.
        case ended(during: String)
    }

    /// Runs the program, makes the handshake, holds the conversation and shuts down.
    static func run<R: Sendable>(
        _ launch: EngineProcess.Launch, manifest: EngineManifest,
        _ conversation: @escaping @Sendable (EngineSession) async throws -> R
    ) async throws -> (R, Transcript) {
        guard !Task.isCancelled else { throw cancelled(manifest, "before it started") }
        let inbox = Inbox()
        let transcript = TranscriptRecorder()
        let session = UUID().uuidString.lowercased()
        let logs = launch.workdir.appending(path: "engine-\(manifest.name)-\(session.prefix(8))")
        let standardError = try StandardErrorLog(logs.appendingPathExtension("stderr.log"))
        // Not a child task: cancelling it would make Subprocess end the engine without asking it to stop.
        let task = Task {
            try await EngineProcess.run(
                launch, inbox: inbox, transcript: transcript, standardError: standardError
            ) { process in
                await EngineSession(process: process, manifest: manifest)
                    .converse(session: session, conversation)
            }
        }
        let report = SessionReport(
            manifest: manifest, standardError: standardError,
            transcriptFile: logs.appendingPathExtension("transcript.jsonl"))
        let (outcome, ending): (Result<R, any Error>, EngineProcess.Ending)
        do {
            (outcome, ending) = try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                inbox.put(.cancelled)
            }
        } catch {
            throw PawlError(
                .engine, "cannot run engine \"\(manifest.name)\" (\(launch.program.path))",
                hint: "does its first line (#!) name a program that is installed?", underlying: error)
        }
        standardError.close()
        do {
            return (
                try report.conclude(outcome, ending, isCancelled: inbox.isCancelled), transcript.transcript
            )
        } catch {
            try? Files.writeAtomically(transcript.transcript.bytes, to: report.transcriptFile)
            throw error
        }
    }

    private func converse<R: Sendable>(
        session: String, _ conversation: @Sendable (EngineSession) async throws -> R
    ) async -> Result<R, any Error> {
        let result: Result<R, any Error>
        do {
            try await handshake(session: session)
            result = .success(try await conversation(self))
        } catch Failure.broken(let error) {
            return .failure(Failure.broken(error))
        } catch Failure.ended(let activity) {
            // Often the exit follows the end of the output by a moment; its status tells most.
            _ = await process.waitForExit(.seconds(2))
            return .failure(Failure.ended(during: activity))
        } catch {
            result = .failure(error)
        }
        do {
            try await shutDown()
            return result
        } catch {
            if case .failure = result { return result }
            return .failure(error)
        }
    }

    private func handshake(session: String) async throws {
        try process.send([
            "type": "init", "protocol": .int(Int64(EngineDescription.protocolVersion)),
            "session": .string(session), "workdir": .string(process.launch.workdir.path),
            "host": ["name": "pawl", "version": .string(PawlVersion.current)],
        ])
        let deadline = SuspendingClock.now + limits.start
        let message: JSONValue
        wait: while true {
            switch await inbox.next(until: deadline) {
            case .message(let value):
                message = value
                break wait
            case .violation(let reason): throw violation(reason)
            case .outputEnded: throw Failure.ended(during: "the handshake")
            case .cancelled: throw Failure.broken(Self.cancelled(manifest, "before it was ready"))
            case .exited: continue
            case nil:
                throw Failure.broken(
                    PawlError(
                        .timedOut, "engine \"\(manifest.name)\" was not ready after \(limits.start.text)"))
            }
        }
        switch message["type"]?.string {
        case "ready": try checkReady(message)
        case "error": throw Failure.answered(Self.engineError(manifest, message, request: "init"))
        default: throw violation("it answered init with \(Self.show(message)) instead of ready")
        }
    }

    private func checkReady(_ message: JSONValue) throws {
        guard message["protocol"]?.int == manifest.protocol else {
            throw violation(
                """
                it speaks protocol \(message["protocol"].map(Self.show) ?? "(none given)"), \
                this Pawl speaks \(manifest.protocol)
                """)
        }
        for (field, expected) in [("name", manifest.name), ("version", manifest.version)]
        where message[field]?.string != expected {
            throw violation(
                """
                its ready gives the \(field) \(message[field].map(Self.show) ?? "(none)"), \
                but engine.json says "\(expected)"
                """)
        }
        let capabilities = try decode(
            EngineCapabilities.self, message["capabilities"] ?? .null, "capabilities")
        guard capabilities == manifest.capabilities else {
            throw violation("the capabilities in its ready differ from those in engine.json")
        }
    }

    /// Sends a request and waits for its result, passing progress on.
    func request(
        _ message: JSONValue, id: String, activity: String, unit: String, progress: ProgressHandler?
    ) async throws -> JSONValue {
        try process.send(message)
        var watch = RequestWatch(limits: limits, activity: activity, manifest: manifest)
        if inbox.isCancelled { try watch.stop(Self.cancelled(manifest, "during \(activity)"), id, process) }
        while true {
            switch await inbox.next(until: watch.deadline) {
            case .message(let answer):
                watch.heard()
                let type = answer["type"]?.string
                guard type == "error" || answer["id"]?.string == id else {
                    try checkStray(answer, id: id)
                    continue
                }
                switch type {
                case "progress":
                    let step = try self.progress(answer, activity: activity, unit: unit)
                    if !watch.isStopping { progress?(step) }
                case "result":
                    if let reason = watch.reason { throw Failure.answered(reason) }
                    return answer
                case "error":
                    throw Failure.answered(
                        watch.reason ?? Self.engineError(manifest, answer, request: activity))
                default: process.launch.logger.debug("unknown message from the engine is ignored")
                }
            case .violation(let reason): throw violation(reason)
            case .outputEnded:
                if let reason = watch.reason { throw Failure.broken(reason) }
                throw Failure.ended(during: activity)
            case .cancelled: try watch.stop(Self.cancelled(manifest, "during \(activity)"), id, process)
            case .exited: continue
            case nil: try watch.expire(id, process)
            }
        }
    }

    /// Progress of an earlier request may arrive late, from the engine's own thread; anything else is a mistake.
    private func checkStray(_ answer: JSONValue, id: String) throws {
        switch answer["type"]?.string {
        case "progress":
            if let stray = answer["id"]?.string.flatMap(Int.init), let own = Int(id), stray < own { return }
            throw violation("it sent progress for a request that does not run: \(Self.show(answer))")
        case "result":
            throw violation("it sent a result for a request that does not run: \(Self.show(answer))")
        case "ready": throw violation("it sent a second ready")
        default: process.launch.logger.debug("unknown message from the engine is ignored")
        }
    }

    private func progress(_ message: JSONValue, activity: String, unit: String) throws
        -> PawlCore.Progress
    {
        guard let step = message["step"]?.int, step >= 0 else {
            throw violation("progress without a step (a number from 0): \(Self.show(message))")
        }
        let metrics = (message["metrics"]?.object ?? [:]).compactMapValues(\.double)
        return PawlCore.Progress(
            activity, Int64(step), of: message["steps"]?.int.map(Int64.init), unit: unit, metrics: metrics)
    }

    private func shutDown() async throws {
        try process.send(["type": "shutdown"])
        let deadline = SuspendingClock.now + limits.shutdown
        // The flags are looked at first: the events themselves may have been read before.
        while !(inbox.hasExited && inbox.hasOutputEnded) {
            switch await inbox.next(until: deadline) {
            case .violation(let reason): throw violation(reason)
            case nil:
                throw Failure.broken(
                    PawlError(
                        .timedOut,
                        "engine \"\(manifest.name)\" did not end within \(limits.shutdown.text) of shutdown"))
            default: continue
            }
        }
    }

    /// Decodes a part of a message; the error names engine and field.
    func decode<T: Decodable>(_ type: T.Type, _ value: JSONValue, _ what: String) throws -> T {
        do {
            return try JSON.decode(type, from: JSON.canonical(value), source: what)
        } catch let error as PawlError {
            throw violation(error.message)
        }
    }

    func violation(_ reason: String) -> Failure {
        .broken(PawlError(.engine, "engine \"\(manifest.name)\" broke the protocol: \(reason)"))
    }

    static func cancelled(_ manifest: EngineManifest, _ place: String) -> PawlError {
        PawlError(.cancelled, "engine \"\(manifest.name)\" was stopped \(place), as asked")
    }

    static func show(_ value: JSONValue) -> String {
        LineSplitter.quote((try? JSON.canonical(value)) ?? [], limit: 300)
    }

    /// An `error` message as ours.
    static func engineError(_ manifest: EngineManifest, _ message: JSONValue, request: String) -> PawlError {
        let code = message["code"]?.string ?? "(no code)"
        let text = message["message"]?.string ?? "(no message)"
        let ours: PawlError.Code =
            switch code {
            case "invalid_argument": .invalidArgument
            case "unsupported": .unsupported
            default: .engine
            }
        var hint = code == "out_of_memory" ? "lower micro_batch in the recipe, or batch_size" : nil
        if message["retryable"]?.bool == true {
            hint = "the engine says that it may work the next time: run the same command again"
        }
        return PawlError(
            ours, "engine \"\(manifest.name)\" failed in \(request) (\(code)): \(text)", hint: hint)
    }
}
