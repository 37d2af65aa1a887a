public import Foundation
public import PawlCore

/// A run of `pawl register` that can be resumed: `work/ID/state.json` (schemas/registration.json).
///
/// It is progress, not history: the journal has what came of it. It is left out of a rebuild and survives one.
public struct Registration: Codable, Sendable, Hashable {
    /// Its name, also the name of its directory under `work/`.
    public var id: String
    /// Name of the skill.
    public var skill: String
    /// The checkpoint that is trained from.
    public var parent: Digest
    /// The phase it is in, in the words of the workflow.
    public var phase: String
    /// What the workflow needs to go on. Every digest in it is kept by a collection.
    public var state: JSONValue
    /// When it was started.
    public var created: Timestamp
    /// When it was saved last.
    public var updated: Timestamp
    /// When it ended; nil while it can be resumed.
    public var finished: Timestamp?
    /// How it ended.
    public var outcome: String?

    /// Makes a registration in its first phase; its id is made of the time and a random part.
    public init(skill: String, parent: Digest, phase: String, state: JSONValue = [:], id: String? = nil) {
        let now = Timestamp.now
        let day = now.description.prefix(10).filter { $0 != "-" }
        let random = UInt32.random(in: 0...UInt32.max)
        let suffix = String(random, radix: 16)
        self.id = id ?? "\(day)-\(String(repeating: "0", count: 8 - suffix.count))\(suffix)"
        self.skill = skill
        self.parent = parent
        self.phase = phase
        self.state = state
        self.created = now
        self.updated = now
    }

    private enum CodingKeys: String, CodingKey {
        case id, skill, parent, phase, state, created, updated, finished, outcome
    }
}

extension Registry {
    /// The directory of a registration, where its training keeps its files.
    public func directory(of registration: String) -> URL {
        work.appending(path: registration, directoryHint: .isDirectory)
    }

    /// Writes a registration's progress, atomically and durably; sets `updated`.
    @discardableResult
    public func save(_ registration: Registration) throws -> Registration {
        try Name.check(registration.id, "id of a registration")
        var registration = registration
        registration.updated = .now
        try Files.createDirectory(directory(of: registration.id))
        try Files.writeAtomically(JSON.pretty(registration), to: stateFile(registration.id))
        return registration
    }

    /// One registration; `notFound` when there is none of this id.
    public func registration(_ id: String) throws -> Registration {
        try Name.check(id, "id of a registration")
        guard Files.exists(stateFile(id)) else {
            throw PawlError(.notFound, "there is no registration \"\(id)\" in \(work.path)")
        }
        return try JSON.decode(Registration.self, from: Files.read(stateFile(id)), source: stateFile(id).path)
    }

    /// All registrations, oldest first.
    public func registrations() throws -> [Registration] {
        guard Files.isDirectory(work) else { return [] }
        let names = try FileManager.default.contentsOfDirectory(atPath: work.path)
        return
            try names
            .filter { Files.exists(stateFile($0)) }
            .map(registration)
            .sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    /// Registrations that can be resumed, oldest first.
    public func unfinishedRegistrations() throws -> [Registration] {
        try registrations().filter { $0.finished == nil }
    }

    private func stateFile(_ id: String) -> URL { directory(of: id).appending(path: "state.json") }
}
