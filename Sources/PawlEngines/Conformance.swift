internal import Foundation
internal import PawlCore

/// The suite behind `pawl engine test NAME`: does a program keep to protocol 1?
///
/// It runs the engine on a tiny model, well and badly behaved, and says of every rule whether it holds.
public struct Conformance: Sendable {
    /// The engine under test.
    public let engine: PluginEngine
    /// What it is given to work on.
    public let probe: EngineProbe

    /// Makes a suite for an engine; the engine's limits are the limits of the checks.
    public init(engine: PluginEngine, probe: EngineProbe) {
        self.engine = engine
        self.probe = probe
    }

    /// How one check went.
    public struct Check: Sendable, Codable, Hashable {
        /// Short name ("cancel").
        public var name: String
        /// The rule in a sentence.
        public var rule: String
        /// How it went.
        public var outcome: Outcome
        /// Why it failed or was skipped.
        public var reason: String?
        /// Seconds that it took.
        public var seconds: Double
    }

    /// The outcomes of a check.
    public enum Outcome: String, Sendable, Codable, Hashable { case passed, failed, skipped }

    /// What the suite found.
    public struct Report: Sendable, Codable, Hashable {
        /// The engine that was tested.
        public var engine: EngineDescription
        /// Every check, in the order in which they ran.
        public var checks: [Check]

        /// Whether no check failed.
        public var passed: Bool { !checks.contains { $0.outcome == .failed } }
    }

    /// Names of all checks, in order.
    public static var names: [String] { rules.map(\.name) }

    /// Runs the checks, each with a program and a working directory of its own.
    ///
    /// - Parameters:
    ///   - names: the checks to run; nil for all.
    ///   - onCheck: called after each check.
    /// - Throws: when the task is cancelled, or a working directory cannot be made; never for a failed check.
    public func run(
        only names: Set<String>? = nil, onCheck: (@Sendable (Check) -> Void)? = nil
    ) async throws -> Report {
        if let unknown = names?.subtracting(Self.names).min() {
            throw PawlError(
                .invalidArgument, "there is no conformance check \"\(unknown)\"",
                hint: "there are: \(Self.names.joined(separator: ", "))")
        }
        var checks: [Check] = []
        for rule in Self.rules where names?.contains(rule.name) ?? true {
            let check = try await run(rule)
            checks.append(check)
            onCheck?(check)
        }
        return Report(engine: engine.manifest.engineDescription, checks: checks)
    }

    private func run(_ rule: Rule) async throws -> Check {
        let workdir = FileManager.default.temporaryDirectory.appending(
            path: "pawl-conformance-\(UUID().uuidString)")
        try Files.createDirectory(workdir)
        defer { try? Files.remove(workdir) }
        let start = ContinuousClock.now
        let (outcome, reason) = try await judge(rule, workdir)
        return Check(
            name: rule.name, rule: rule.text, outcome: outcome, reason: reason,
            seconds: start.duration(to: .now).inSeconds)
    }

    private func judge(_ rule: Rule, _ workdir: URL) async throws -> (Outcome, String?) {
        do {
            try await rule.check(try ConformanceBench(engine: engine, probe: probe, workdir: workdir))
            return (.passed, nil)
        } catch let skip as Skipped {
            return (.skipped, skip.reason)
        } catch let error as PawlError {
            if Task.isCancelled { throw error }
            return (.failed, "\(error)")
        } catch {
            return (.failed, "\(error)")
        }
    }

    /// Thrown by a check that does not apply.
    struct Skipped: Error { let reason: String }

    /// One check.
    struct Rule: Sendable {
        let name: String
        let text: String
        let check: @Sendable (ConformanceBench) async throws -> Void
    }
}
