public import Foundation
public import PawlCore

/// What the conformance suite gives an engine to work on: a tiny model and a few records and items.
///
/// The records and items are built in. The model is a directory that the engine can load: the one that
/// ships for real engines (``shipped(in:)``), or one in the format of an engine that needs no real model.
public struct EngineProbe: Sendable {
    /// A complete model directory, as small as can be.
    public var model: URL
    /// Training records (JSONL).
    public var records: [UInt8]
    /// Items without targets (JSONL): generations and choices.
    public var items: [UInt8]
    /// Complete recipe without `method` and `steps`, which the checks set.
    public var recipe: [String: JSONValue]
    /// Evaluation settings.
    public var settings: EvaluationSettings

    /// Makes a probe with the built-in records, items and recipe.
    public init(model: URL) {
        self.model = model
        records = Array(Self.builtInRecords.utf8)
        items = Array(Self.builtInItems.utf8)
        recipe = Self.builtInRecipe
        settings = EvaluationSettings(maxTokens: 8, stop: ["\n"], batchSize: 4)
    }

    /// The probe on the tiny model that ships as `engines/conformance/model`.
    public static func shipped(in folders: PluginFolders) throws -> EngineProbe {
        let places = folders.roots.map { $0.appending(path: "engines/conformance/model") }
        guard let model = places.first(where: { Files.exists($0.appending(path: "config.json")) }) else {
            throw PawlError(
                .notFound,
                "the tiny model of the conformance suite is in none of: \(places.map(\.path).joined(separator: ", "))",
                hint: "make it by tools/fixtures/tiny_model.py DIR, or name another model directory")
        }
        return EngineProbe(model: model)
    }

    /// A digest that names the model directory in requests: over its files' names and contents.
    func modelDigest() throws -> Digest {
        var hasher = SHA256()
        for name in try FileManager.default.contentsOfDirectory(atPath: model.path).sorted() {
            let url = model.appending(path: name)
            guard !Files.isDirectory(url) else { continue }
            hasher.update(Array("\(try OutputCheck.hash(url).0.hex)  \(name)\n".utf8))
        }
        return hasher.finish()
    }

    // "family:" and "say:" are what the stub engine goes by; to a real one they are words.
    private static let builtInRecords = (0..<6).map { index in
        let prompt = #"[{"role":"user","content":"family: probe say: word \#(index)"}]"#
        return index < 4
            ? """
            {"id":"s\(index)","role":"skill","prompt":\(prompt),"completion":"word \(index)","teacher":\
            [{"role":"user","content":"Say it like this: word \(index). family: probe say: word \(index)"}]}

            """
            : #"{"id":"r\#(index)","role":"rehearsal","prompt":\#(prompt),"teacher":\#(prompt)}"# + "\n"
    }.joined()

    private static let builtInItems =
        (0..<6).map { index in
            let text = "family: probe say: word \(index)"
            return switch index % 3 {
            case 0: #"{"id":"i\#(index)","prompt":"\#(text)"}"#
            case 1: #"{"id":"i\#(index)","messages":[{"role":"user","content":"\#(text)"}]}"#
            default:
                #"{"id":"i\#(index)","prompt":"\#(text)","choices":["word \#(index)","no","a bit more"]}"#
            }
        }.joined(separator: "\n") + "\n"

    private static let builtInRecipe: [String: JSONValue] = [
        "prompts_per_step": 3, "rehearsal_share": 0.34, "learning_rate": 1e-4, "warmup_steps": 1,
        "schedule": "cosine", "weight_decay": 0.0, "max_gradient_norm": 1.0, "divergence": "forward_kl",
        "top_k": 0, "temperature": 1.0, "on_policy_fraction": 1.0, "max_completion_tokens": 8,
        "skip_tokens": 0,
        "teacher_weights": "frozen", "ema_rate": 0.01, "micro_batch": 3, "precision": "float32", "seed": 1,
        "save_every": 1, "max_context_tokens": 256, "stub": ["delay_ms": 20],
    ]
}
