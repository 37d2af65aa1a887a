public import PawlCore
public import PawlEngines
internal import PawlRegistry

extension Workflow {
    /// Answers a prompt with a checkpoint, straight from the store, in this process.
    ///
    /// - Parameters:
    ///   - settings: how; its model is put in here.
    ///   - onText: the next part of the answer, whole characters only; what it throws ends the answer.
    public func generate(
        _ checkpoint: Digest, _ settings: (ModelInput) -> GenerationRequest,
        onText: @escaping @Sendable (String) throws -> Void
    ) async throws -> GenerationResult {
        let engine = NativeEngine()
        return try await engine.generate(
            settings(try modelInput(checkpoint, for: engine)), onText: onText)
    }
}
