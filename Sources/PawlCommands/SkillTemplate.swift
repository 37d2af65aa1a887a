internal import Foundation
internal import PawlCore

/// The folder that `pawl skill new` makes.
enum SkillTemplate {
    /// Writes the folder at once: it appears whole or not at all.
    static func write(to folder: URL) throws {
        let name = folder.lastPathComponent
        try Name.check(name, "skill name")
        guard !Files.exists(folder) else {
            throw PawlError(.alreadyExists, "\(folder.path) is there already")
        }
        let parent = folder.deletingLastPathComponent()
        try Files.createDirectory(parent)
        let partial = parent.appending(path: ".\(name).partial-\(UUID().uuidString)")
        try Files.createDirectory(partial)
        do {
            for (file, text) in files(name) {
                try Files.writeAtomically(Array(text.utf8), to: partial.appending(path: file))
            }
            try Files.rename(partial, to: folder)
        } catch {
            try? Files.remove(partial)
            throw error
        }
    }

    private static func files(_ name: String) -> [(String, String)] {
        [
            (
                "skill.json",
                """
                {
                  "name": "\(name)",
                  "version": "1.0.0",
                  "description": "What the model can do afterwards, in a sentence.",
                  "demonstrations": "demonstrations.jsonl",
                  "suite": "suite.json",
                  "teacher": {"contexts": [
                    {"kind": "few_shot", "shots": 1, "own_demonstration": true},
                    {"kind": "demonstration"}
                  ]},
                  "recipe": {"steps": 80, "learning_rate": 2e-5},
                  "licence": "Apache-2.0",
                  "source": "Who wrote the demonstrations and the items."
                }

                """
            ),
            (
                "demonstrations.jsonl",
                """
                {"id": "d1", "prompt": "A question as users ask it.", "completion": "The expert's answer."}
                {"id": "d2", "prompt": "Another question.", "completion": "Another answer."}

                """
            ),
            (
                "suite.json",
                """
                {
                  "name": "\(name)",
                  "version": "1.0.0",
                  "description": "Questions that no demonstration shows.",
                  "family": "\(name)",
                  "metric": "accuracy",
                  "margin": 0.05,
                  "items": "items.jsonl",
                  "decoding": {"template": "chat", "max_tokens": 64},
                  "grader": {"kind": "exact_match", "normalisers": ["trim", "lowercase"]},
                  "licence": "Apache-2.0"
                }

                """
            ),
            (
                "items.jsonl",
                """
                {"id": "i1", "prompt": "An unseen question.", "target": "Its answer."}
                {"id": "i2", "prompt": "Another unseen question.", "targets": ["Its answer.", "The same in other words."]}

                """
            ),
        ]
    }
}
