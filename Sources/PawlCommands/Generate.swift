internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlEngines
internal import PawlRegistry
internal import PawlWorkflow

struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer a prompt with a checkpoint.",
        discussion: """
            The native engine reads the checkpoint from the store and prints the answer as it comes. The prompt is one \
            user turn in the model's chat template; with --raw it is a text that goes on. Without PROMPT it is read \
            from standard input, without its last line feed. The same seed gives the same answer; without \
            --temperature the likeliest token is taken, always.

              pawl generate "What is the capital of France?"
              pawl generate --checkpoint main~1 --temperature 0.8 --top-p 0.95 --seed 7 "Tell me a story."
              pawl generate --raw --max-tokens 20 --stop . "The capital of France is"
              pawl generate --json <question.txt

            Exit status: 0 done, 1 the prompt does not fit or the model cannot be run, 10 no registry, \
            12 stored bytes are damaged, 64 usage, 130 interrupted.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "What to answer. Default: standard input.")
    var prompt: String?

    @Option(help: "A reference (main, main~2) or a digest prefix.")
    var checkpoint = "main"

    @Option(help: "Longest answer, in tokens.")
    var maxTokens = 256

    @Option(help: "0 takes the likeliest token; 1 draws as the model says; above, more at random.")
    var temperature = 0.0

    @Option(help: "Draw from the smallest set of likeliest tokens that holds this much probability.")
    var topP = 1.0

    @Option(help: "Draw from so many likeliest tokens; 0: all.")
    var topK = 0

    @Option(help: "Decides what is drawn.")
    var seed = 1

    @Option(
        name: .customLong("stop"), help: "A text that ends the answer, and is no part of it; may be repeated."
    )
    var stops: [String] = []

    @Flag(help: "Continue the prompt as it is, without the chat template.")
    var raw = false

    func validate() throws {
        guard maxTokens > 0 else { throw ValidationError("--max-tokens \(maxTokens): must be above 0") }
        guard temperature >= 0, temperature.isFinite else {
            throw ValidationError("--temperature \(temperature): must be 0 or more")
        }
        guard topP > 0, topP <= 1 else {
            throw ValidationError("--top-p \(topP): must be above 0 and at most 1")
        }
        guard topK >= 0 else { throw ValidationError("--top-k \(topK): must be 0 or more") }
    }

    func run() async throws {
        let display = options.progress()
        let workflow = try options.workflow(display)
        let digest = try workflow.registry.resolve(checkpoint)
        let text = try prompt ?? Self.standardInput()
        let isStreaming = !options.json
        let result: GenerationResult
        do {
            result = try await Interruption.cancelling { [self] in
                try await workflow.generate(digest) {
                    request(text, $0)
                } onText: { part in
                    guard isStreaming else { return }
                    guard Terminal.output.writeRaw(part) else { throw ReaderIsGone() }
                }
            }
        } catch is ReaderIsGone {
            return
        }
        // The text is printed already; its end is the end of a line.
        try options.output.render(result) { _ in "" }
        if isStreaming {
            Terminal.output.writeRaw("\n")
            if result.finish == .length { display.note("(cut off at --max-tokens \(maxTokens))") }
        }
    }

    private func request(_ text: String, _ model: ModelInput) -> GenerationRequest {
        GenerationRequest(
            model: model, prompt: text, isChat: !raw, maxTokens: maxTokens, temperature: temperature,
            topP: topP, topK: topK, seed: seed, stop: stops)
    }

    /// Whoever read the answer has gone away (`| head`).
    private struct ReaderIsGone: Error {}

    private static func standardInput() throws -> String {
        guard isatty(STDIN_FILENO) == 0 else {
            throw PawlError(
                .usage, "there is no prompt", hint: "name it, or give it on standard input")
        }
        var bytes = Array(try FileHandle.standardInput.readToEnd() ?? Data())
        if bytes.last == 0x0A { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PawlError(.invalidArgument, "the prompt on standard input is not valid UTF-8")
        }
        guard !text.isEmpty else {
            throw PawlError(
                .usage, "the prompt on standard input is empty", hint: "name it, or give it on standard input"
            )
        }
        return text
    }
}
