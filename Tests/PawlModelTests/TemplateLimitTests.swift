import Foundation
import PawlCore
import Testing

@testable import PawlModel

@Suite("Hostile and broken templates")
struct TemplateLimitTests {
    private func failure(_ source: String, limits: Jinja.Limits = .init()) -> PawlError? {
        do {
            _ = try ChatTemplate(source: source, file: "t.jinja").render(
                .init([ChatMessage(role: "user", content: "hi")], now: TemplateFixture.now), limits: limits)
            return nil
        } catch {
            return error as? PawlError
        }
    }

    @Test(
        "an unknown construct is an error that names it and its line",
        arguments: [
            ("\n{% include 'x' %}", "unknown tag 'include'", 2),
            ("{{ 1 }}\n\n{{ x | urlize }}", "unknown filter 'urlize'", 3),
            ("{% if false %}\n{{ x is prime }}{% endif %}", "unknown test 'prime'", 2),
            ("{{ 'a'.zfill(3) }}", "the method 'zfill' of str", 1),
            ("\n{{ lipsum() }}", "the function 'lipsum'", 2),
            ("{% for x in [1] recursive %}{% endfor %}", "a recursive loop", 1),
            ("{{ [1, 2] |\n map('upper') }}", "printing a generator", 2),
            ("{{ 99999999999999999999 }}", "99999999999999999999", 1),
        ])
    func unsupported(source: String, word: String, line: Int) throws {
        let error = try #require(failure(source))
        #expect(error.code == .unsupported, "\(error)")
        #expect(error.message.contains(word), "\(error)")
        #expect(error.message.hasPrefix("t.jinja, line \(line): "), "\(error)")
    }

    @Test("a template's own exception carries its message and line")
    func raised() throws {
        let error = try #require(failure("{% if true %}\n{{ raise_exception('no system role') }}{% endif %}"))
        #expect(error.code == .invalidArgument)
        #expect(error.message == "t.jinja, line 2: no system role")
    }

    @Test(
        "what would take for ever, or all memory, ends with an error",
        arguments: [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% set ns = namespace(x='ab') %}{% for a in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "{% set ns = namespace(x=[1]) %}{% for a in range(100) %}{% set ns.x = ns.x * 9 %}{% endfor %}",
            "{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}",
            "{% set ns = namespace(x=[1]) %}{% for a in range(150) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
            "{% set ns = namespace(x=(1,)) %}{% for a in range(150) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ ns.x in {1: 1} }}",
            "{% set ns = namespace(x=[1], y=[1]) %}{% for a in range(150) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
            "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
            "{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(0) }}",
            "{{ 'x' * 99999999999 }}", "{{ [0] * 4611686018427387904 }}", "{{ 'a' | indent(9999999999) }}",
            "{{ ('a' * 9999).replace('', 'b' * 99999) }}", "{{ 9 ** 9 ** 9 }}",
            "{{ 7 ** 9223372036854775807 }}",
            "{{ '%.999999999f' % 1.0 }}", "{{ range(9223372036854775807) }}",
            "{{ range(-9223372036854775807, 9223372036854775807, 1) }}",
            "{{ -9223372036854775807 - 2 }}", "{{ (-9223372036854775807 - 1) // -1 }}",
            "{{ (-9223372036854775807 - 1) | abs }}",
            "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
            "{% for x in [1] %}{% set ns = namespace(l=loop) %}{% endfor %}",
            "{% for a in range(999) %}{{ 'a' * 9999 }}{% endfor %}",
        ])
    func bounded(source: String) throws {
        let small = Jinja.Limits(steps: 100_000, iterations: 10_000, bytes: 1 << 20, output: 1 << 20)
        #expect(try #require(failure(source, limits: small)).message.hasPrefix("t.jinja, line 1: "))
    }

    @Test("deep syntax is an error, and long chains of operators are freed")
    func deepSyntax() {
        let count = 4_000
        for source in [
            "{{ " + String(repeating: "(", count: count) + "1" + String(repeating: ")", count: count) + " }}",
            "{{ " + String(repeating: "[", count: count) + String(repeating: "]", count: count) + " }}",
            "{{ " + String(repeating: "not ", count: count) + "1 }}",
            "{{ " + String(repeating: "-", count: count) + "1 }}",
            "{{ 1" + String(repeating: " + 1", count: count) + " }}",
            "{{ x" + String(repeating: ".x", count: count) + " }}",
            "{{ x" + String(repeating: "|trim", count: count) + " }}",
            "{{ 1" + String(repeating: " if 1", count: count) + " }}",
            "{{ 1" + String(repeating: " if 1 else 1", count: count) + " }}",
            String(repeating: "{% if 1 %}", count: count) + String(repeating: "{% endif %}", count: count),
        ] {
            #expect(failure(source)?.code == .invalidArgument)
        }
        // Not deep, only long.
        #expect(failure("{{ 'a'" + String(repeating: " ~ 'a'", count: 2_000) + " }}") == nil)
        #expect(failure("{% if 0 %}" + String(repeating: "{% elif 0 %}", count: 500) + "{% endif %}") == nil)
    }

    @Test("the deepest recursion that is allowed fits the stack of a thread")
    func deepRecursion() throws {
        // Macros in parentheses, filters, conditions and loops: as many frames a level as there can be.
        let source = """
            {% macro f(n) %}{% if n > 0 %}{% for x in [1] if [x] | map('abs') | list %}\
            {% set y %}{{ ((f(n - 1)) | trim) if (n > 0 and true) else '' }}{% endset %}{{ y }}{% endfor %}{% endif %}{% endmacro %}
            """
        #expect(failure(source + "{{ f(15) }}") == nil)
        let deep = try #require(failure(source + "{{ f(1000) }}"))
        #expect(deep.message.contains("levels of nesting"), "\(deep)")
    }

    @Test("long chains through namespaces, macros and generators are freed without deep recursion")
    func chains() {
        for body in [
            "{% set next = namespace() %}{% set ns.tail.next = 1 %}",
            "{% set cur = namespace() %}{% set tail = ns.tail %}{% set tail.next = cur %}{% set ns.tail = cur %}",
            "{% set old = ns.f %}{% macro m() %}{{ old }}{% endmacro %}{% set ns.f = m %}",
            "{% set ns.g = [1] | map('default', ns.g) %}",
        ] {
            _ = failure(
                "{% set ns = namespace(f=none, g=none) %}{% set ns.tail = namespace() %}{% for i in range(8000) %}"
                    + body + "{% endfor %}")
        }
    }

    @Test("a mutated template is parsed or refused, never a crash")
    func mutated() throws {
        var random = SplitMix(state: 20_261_122)
        let names = [
            "qwen3", "gemma4_v5", "llama3_1", "gptoss", "mistral", "phi4_mini", "lfm2_2_5", "smollm2",
        ]
        let pieces = [
            "{%", "%}", "{{", "}}", "{#", "#}", "-", "+", "'", "\"", "\\", "(", ")", "[", "]", "{", "}", "|",
            ".", ",", ":",
            " if ", " else ", " endif ", " for ", " in ", " is ", " not ", " set ", " raw ", " endraw ",
            " macro ", "~", "**",
            "0x", "1e", "é", "\u{301}", "\n", "\0", "9999999999", " loop", " none", "=", "|map(", "[::",
            " generation ",
        ]
        let sources = try names.map {
            Array(try TemplateFixture.text("\($0).jinja").unicodeScalars.prefix(4000))
        }
        let conversation = [
            ChatMessage(role: "user", content: "hi"), ChatMessage(role: "assistant", content: "ho"),
        ]
        let small = Jinja.Limits(steps: 20_000, iterations: 1_000, bytes: 1 << 20, output: 1 << 18)
        var parsed = 0
        for round in 0..<240 {
            var scalars = sources[round % sources.count]
            for _ in 0...(random.next(6)) {
                let place = random.next(scalars.count)
                switch random.next(3) {
                case 0: scalars.removeSubrange(place..<min(place + 1 + random.next(8), scalars.count))
                case 1:
                    scalars.insert(contentsOf: pieces[random.next(pieces.count)].unicodeScalars, at: place)
                default: scalars = Array(scalars[..<max(place, 20)]) + scalars.suffix(random.next(200))
                }
            }
            do {
                let template = try ChatTemplate(source: Jinja.PythonText.text(scalars), file: "m")
                parsed += 1
                _ = try template.render(.init(conversation, addGenerationPrompt: true), limits: small)
            } catch {
                #expect(error is PawlError)
            }
        }
        #expect(parsed > 5)
    }
}

/// Random numbers that are the same in every run.
private struct SplitMix {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }
}
