internal import PawlCore
public import PawlGate

/// One line of the file that an engine trains on: a prompt as the student sees it and as the teacher sees it.
///
/// The teacher's messages are composed here, so that a new kind of context needs no change in any engine.
public struct TeachingRecord: Codable, Sendable, Hashable {
    /// What a record is for.
    public enum Role: String, Codable, Sendable { case skill, rehearsal }

    /// Unique in the file.
    public var id: String
    /// Teaches the new skill, or holds the model where it was.
    public var role: Role
    /// What the student sees.
    public var prompt: [Message]
    /// The expert's response, where there is one; supervised fine-tuning learns from it.
    public var completion: String?
    /// What the teacher sees: for rehearsal the very same prompt.
    public var teacher: [Message]

    /// Records of a skill under one teacher context.
    public static func skill(_ demonstrations: [Demonstration], context: TeacherContext) throws
        -> [TeachingRecord]
    {
        try demonstrations.map { demonstration in
            TeachingRecord(
                id: demonstration.id, role: .skill, prompt: demonstration.messages,
                completion: demonstration.completion,
                teacher: try context.messages(for: demonstration, among: demonstrations))
        }
    }

    /// Records that hold the model where it was: prompts scored by the incumbent under the very same prompt.
    public static func rehearsal(_ set: RehearsalSet) -> [TeachingRecord] {
        set.prompts.map { prompt in
            TeachingRecord(
                id: "\(set.name)/\(prompt.id)", role: .rehearsal, prompt: prompt.messages, completion: nil,
                teacher: prompt.messages)
        }
    }

    /// Rehearsal records from the demonstrations of a skill that the model already holds.
    public static func rehearsal(_ demonstrations: [Demonstration], of skill: String) -> [TeachingRecord] {
        demonstrations.map { demonstration in
            TeachingRecord(
                id: "\(skill)/\(demonstration.id)", role: .rehearsal, prompt: demonstration.messages,
                completion: demonstration.completion, teacher: demonstration.messages)
        }
    }
}

/// A sample that depends on the seed and on what is sampled, not on the order in the file or the machine.
func seededSample<T>(_ elements: [T], _ count: Int, seed: Int, id: (T) -> String) -> [T] {
    let keyed = elements.map { (Digest(of: "\(seed)/\(id($0))"), $0) }
    return keyed.sorted { $0.0 < $1.0 }.prefix(count).map(\.1)
}
