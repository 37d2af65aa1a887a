internal import PawlCore
internal import PawlRegistry

/// The same prompt to two checkpoints, both answers side by side as they come.
struct PlaygroundPage: Markup {
    private let checkpoints: [Checkpoint]
    private let main: Digest?
    private let parent: Digest?

    init(_ site: Site) throws {
        let registry = site.registry
        checkpoints = try registry.checkpoints().filter { $0.collected == nil }
        main = try registry.reference(Reference.main)?.checkpoint
        parent = try main.flatMap { try registry.checkpoint($0).parent }
    }

    var page: Page {
        Page(
            title: "Playground", place: .playground,
            content: pieces {
                p(
                    .class("lead"),
                    text:
                        "The same prompt to two checkpoints, sampled by this server. Nothing that is said here is kept."
                )
                noscript {
                    div(.class("empty")) {
                        p(
                            "This page needs JavaScript: the answers arrive word by word. Without it, ask in the terminal:"
                        )
                        command("pawl chat main")
                    }
                }
                if checkpoints.isEmpty {
                    empty("The registry has no checkpoint yet.", command: "pawl init --base DIR")
                } else {
                    question
                    div(.class("answers")) {
                        answer("left", "Left")
                        answer("right", "Right")
                    }
                }
            })
    }

    /// A form for the script. Sent without it, it leads back here and asks nobody.
    private var question: HTML {
        form(
            .id("playground"), .class("card"), Attribute("method", "get"), .action(Link(["playground"])),
            Attribute("data-endpoint", "/v1/chat/completions"), Attribute("autocomplete", "off")
        ) {
            div(.class("pair")) {
                choice("left", "Left", parent ?? main)
                choice("right", "Right", main)
            }
            div {
                label(Attribute("for", "system"), text: "System message, if any")
                textarea(.id("system"), Attribute("rows", "1"))
            }
            div {
                label(Attribute("for", "prompt"), text: "Prompt")
                textarea(.id("prompt"), Attribute("rows", "4"), Attribute("required", ""))
            }
            settings
            p(.class("actions")) {
                button(Attribute("type", "submit"), .class("primary"), text: "Ask both")
                button(Attribute("type", "button"), .id("stop"), Attribute("disabled", ""), text: "Stop")
            }
        }
    }

    private func choice(_ id: StaticString, _ text: String, _ chosen: Digest?) -> HTML {
        div {
            label(Attribute("for", "model-\(id)"), text: text)
            select(.id("model-\(id)")) {
                for checkpoint in checkpoints.reversed() {
                    option(
                        Attribute("value", checkpoint.digest.hex),
                        checkpoint.digest == chosen ? Attribute("selected", "") : nil,
                        text:
                            "\(checkpoint.digest.short) \(Site.label(checkpoint)), \(checkpoint.status.rawValue)"
                            + (checkpoint.digest == main ? " (main)" : ""))
                }
            }
        }
    }

    private var settings: HTML {
        div(.class("pair")) {
            number("temperature", "Temperature", value: "0", min: "0", max: "2", step: "0.1")
            number("max-tokens", "Most tokens", value: "128", min: "1", max: "4096", step: "1")
            number("seed", "Seed", value: "1", min: "0", max: "2147483647", step: "1")
        }
    }

    private func number(
        _ id: StaticString, _ text: String, value: String, min: String, max: String, step: String
    ) -> HTML {
        div {
            label(Attribute("for", id.description), text: text)
            input(
                .id(id.description), Attribute("type", "number"), Attribute("value", value),
                Attribute("min", min),
                Attribute("max", max), Attribute("step", step))
        }
    }

    private func answer(_ id: StaticString, _ title: String) -> HTML {
        section(.class("card answer"), .id("answer-\(id)")) {
            h2(title)
            p(.class("faint"), Attribute("data-model", ""), text: "no answer yet")
            pre(Attribute("data-text", ""), Attribute("dir", "auto"), Attribute("aria-live", "polite"))
            p(.class("faint"), Attribute("data-state", ""), .role("status"))
        }
    }
}
