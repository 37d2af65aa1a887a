internal import ArgumentParser
internal import Foundation
internal import PawlCore
internal import PawlGate
internal import PawlWorkflow

struct HarvestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "harvest", abstract: "Make a skill from logs: what users said next teaches.",
        discussion: """
            A line of the log is a conversation: {"consent": true, "messages": [{"role": "user", "content": "..."}, ...]}. \
            Each response that the user corrected or confirmed becomes a record; the teacher will see what they said. \
            Lines without consent are left out, secrets are masked or leave their record out, and the account says how many \
            records were kept and why not the others. docs/harvest.md has the rules.

              pawl harvest chats.jsonl --into ./from-use
              pawl harvest chats.jsonl --into ./from-use --consent-field metadata.training
              pawl harvest chats.jsonl --into ./from-use --dry-run
              pawl register ./from-use

            Exit status: 0 done, 1 the log cannot be read, gives too little, or the folder is there already, 64 usage.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The log: JSON lines.")
    var log: String

    @Option(help: "The skill folder to make; its last part is the skill's name.")
    var into: String

    @Option(help: "The member of a line that says whether it may be learned from; parts separated by dots.")
    var consentField = "consent"

    @Option(help: "Use lines without the flag too; the reason why they may be used is kept with the skill.")
    var assumeConsent: String?

    @Option(help: "Share of the corrections that the suite gets, between 0 and 1.")
    var hold = 0.3

    @Option(help: "Longest exchange, in characters.")
    var longest = 4000

    @Flag(help: "Keep follow-ups that neither correct nor confirm.")
    var all = false

    @Flag(help: "Only say what the log would give.")
    var dryRun = false

    func validate() throws {
        guard hold > 0, hold < 1 else { throw ValidationError("--hold \(hold) is not between 0 and 1") }
        guard longest > 0 else { throw ValidationError("--longest \(longest) is less than 1") }
        guard assumeConsent?.isEmpty != true else { throw ValidationError("--assume-consent needs a reason") }
        guard !consentField.split(separator: ".").isEmpty else {
            throw ValidationError("--consent-field must not be empty")
        }
    }

    func run() async throws {
        var choice = Harvest.Options()
        choice.consent = consentField.split(separator: ".").map(String.init)
        choice.assumedConsent = assumeConsent
        choice.held = hold
        choice.longest = longest
        choice.keepsOther = all
        let report = try Workflow.harvest(
            URL(filePath: log), into: URL(filePath: into).standardizedFileURL, options: choice, isDry: dryRun)
        try options.output.render(report) { Self.text($0, into: into) }
    }

    /// The account, for people.
    private static func text(_ report: HarvestReport, into: String) -> String {
        let kept = report.kept
        var lines = [
            "conversations   \(kept.conversations)",
            "responses       \(kept.exchanges) that a user answered, in conversations that may be used",
            "demonstrations  \(kept.demonstrations): \(kept.corrections) corrected, \(kept.confirmations) confirmed; "
                + "\(kept.judged) for the probe",
            "suite items     \(kept.items)",
        ]
        lines += kept.leftOut.map { entry in
            "left out        \(entry.count) \(entry.unit)\(entry.count == 1 ? "" : "s"): \(entry.reason)"
        }
        lines += kept.secrets.map { "secrets         \($0.count) \($0.kind.rawValue)" }
        if let folder = report.folder {
            lines.append(
                "made \(folder)\nnext: pawl skill check \(into), then pawl register \(into) --dry-run")
        } else {
            lines.append("nothing was written")
        }
        return lines.joined(separator: "\n")
    }
}
