internal import Foundation
internal import PawlCore
public import PawlRegistry
public import PawlWorkflow

/// The models as OpenAI's clients know them: `/v1/models`, `/v1/completions`, `/v1/chat/completions`, and what evaluation
/// harnesses ask a server's tokenizer: `/tokenize`, `/detokenize`, `/tokenizer_info`.
///
/// A model is a reference (`main`), a checkpoint (its digest or the first digits of it) or an ancestor (`main~1`).
public struct OpenAI: Handler {
    let registry: Registry
    /// What answers; its status is for whoever watches the server.
    public let serving: Serving

    /// Serves a registry's checkpoints.
    public init(_ registry: Registry, _ serving: Serving) {
        self.registry = registry
        self.serving = serving
    }

    public func reply(to call: Call) async throws -> Reply? {
        guard call.path.first == "v1" || Self.tokenizerPaths.contains(call.path) else { return nil }
        do {
            return try await answer(call)
        } catch {
            return OpenAIError(error).reply
        }
    }

    private static let tokenizerPaths = [["tokenize"], ["detokenize"], ["tokenizer_info"]]

    private func answer(_ call: Call) async throws -> Reply {
        switch call.path {
        case ["v1", "models"]:
            try Self.require("GET", call)
            return try Self.json(models())
        case _ where call.path.count == 3 && call.path.starts(with: ["v1", "models"]):
            try Self.require("GET", call)
            return try Self.json(card(call.path[2]))
        case ["v1", "completions"]:
            try Self.require("POST", call)
            return try await complete(RequestFields(call.body))
        case ["v1", "chat", "completions"]:
            try Self.require("POST", call)
            return try await chat(RequestFields(call.body))
        case ["tokenize"]:
            try Self.require("POST", call)
            return try await tokenize(RequestFields(call.body))
        case ["detokenize"]:
            try Self.require("POST", call)
            return try await detokenize(RequestFields(call.body))
        case ["tokenizer_info"]:
            try Self.require("GET", call)
            return try await tokenizerInfo(call.query["model"])
        default:
            let path = "/" + call.path.joined(separator: "/")
            throw OpenAIError(404, "there is nothing at \(path)", code: "unknown_url")
        }
    }

    private static func require(_ method: String, _ call: Call) throws {
        guard call.method == method else {
            throw OpenAIError(
                405, "/\(call.path.joined(separator: "/")) is asked with \(method), not \(call.method)",
                code: "method_not_allowed", headers: [("allow", method)])
        }
    }

    /// An answer whose body is JSON.
    static func json(_ value: some Encodable) throws -> Reply {
        Reply(type: "application/json", .bytes(try JSON.canonical(value)))
    }

    /// The checkpoint that a request's `model` names.
    func resolve(_ model: String) throws -> Digest {
        do {
            return try registry.resolve(model)
        } catch let error as PawlError where [.notFound, .invalidArgument].contains(error.code) {
            throw OpenAIError(
                404, "the model \"\(model)\" is not here: \(error.message)", parameter: "model",
                code: "model_not_found")
        }
    }

    /// The model that a request's `model` names, in memory.
    func model(_ name: String) async throws -> ServedModel {
        let checkpoint = try resolve(name)
        do {
            return try await serving.shelf.model(checkpoint)
        } catch let error as PawlError where error.code == .notFound {
            throw OpenAIError(404, error.message, parameter: "model", code: "model_not_found")
        }
    }
}

/// Who made an answer, and when.
struct AnswerIdentity {
    let id: String
    /// Seconds since 1970.
    let created = Int(Date().timeIntervalSince1970)
    /// What the request called the model.
    let model: String
    /// The checkpoint that it was.
    let fingerprint: String

    init(_ prefix: String, _ name: String, _ model: ServedModel) {
        id = prefix + UUID().uuidString.lowercased().filter { $0 != "-" }
        self.model = name
        fingerprint = "pawl-\(model.checkpoint.short)"
    }
}
