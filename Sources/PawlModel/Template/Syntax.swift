extension Jinja {
    /// A node of an expression.
    struct Expression: Sendable {
        let kind: Kind
        let line: Int
        /// Levels of nodes below and including this one; the parser bounds it.
        let depth: Int

        init(_ kind: Kind, line: Int, _ children: [Expression] = []) {
            self.kind = kind
            self.line = line
            depth = 1 + (children.lazy.map(\.depth).max() ?? 0)
        }

        indirect enum Kind: Sendable {
            case none
            case bool(Bool)
            case int(Int)
            case float(Double)
            case string(String)
            case name(String)
            case list([Expression])
            case tuple([Expression])
            case dict([Pair])
            case attribute(Expression, String)
            case item(Expression, Expression)
            case slice(Expression, [Expression?])
            case call(Expression, Arguments)
            case filter(Expression, String, Arguments)
            case test(Expression, String, Arguments)
            case not(Expression)
            case negate(Expression)
            case plus(Expression)
            case binary(String, Expression, Expression)
            case concatenation([Expression])
            case comparison(Expression, [Comparison])
            case and(Expression, Expression)
            case or(Expression, Expression)
            case conditional(condition: Expression, then: Expression, otherwise: Expression?)
            /// The text of the block that a filter is applied to (`{% set x | trim %}...{% endset %}`).
            case capturedText
        }

        struct Pair: Sendable {
            let key: Expression
            let value: Expression
        }

        struct Comparison: Sendable {
            let sign: String
            let right: Expression
        }

        /// What stands between the parentheses of a call.
        struct Arguments: Sendable {
            var positional: [Expression] = []
            var keywords: [Keyword] = []
            /// `*rest` and `**rest`.
            var rest: Expression?
            var keywordRest: Expression?

            struct Keyword: Sendable {
                let name: String
                let value: Expression
            }

            var all: [Expression] {
                positional + keywords.map(\.value) + [rest, keywordRest].compactMap(\.self)
            }
        }
    }

    /// What a value is bound to.
    indirect enum Target: Sendable {
        case name(String)
        case tuple([Target])
        /// An attribute of a namespace.
        case attribute(String, String)
    }

    /// A piece of a template.
    struct Statement: Sendable {
        let kind: Kind
        let line: Int

        indirect enum Kind: Sendable {
            case text(String)
            case output(Expression)
            case branches([Branch], otherwise: [Statement])
            case loop(ForLoop)
            case set(Target, Expression)
            case setBlock(Target, filter: Expression?, body: [Statement])
            case with([Binding], body: [Statement])
            case filterBlock(Expression, body: [Statement])
            case macro(MacroSyntax)
            case callBlock(Expression, caller: MacroSyntax)
            /// transformers' mark around what the assistant says; a scope of its own.
            case generation([Statement])
            case leaveLoop
            case nextPass
        }

        struct Branch: Sendable {
            let condition: Expression
            let body: [Statement]
        }

        struct Binding: Sendable {
            let target: Target
            let value: Expression
        }

        struct ForLoop: Sendable {
            let target: Target
            let iterable: Expression
            let condition: Expression?
            let body: [Statement]
            let otherwise: [Statement]
        }
    }

    /// A macro, or the body of a `call` block.
    struct MacroSyntax: Sendable {
        struct Parameter: Sendable {
            let name: String
            let fallback: Expression?
        }
        let name: String
        let parameters: [Parameter]
        let body: [Statement]
        /// Which of `varargs`, `kwargs` and `caller` the body reads; only those are accepted.
        let specials: Set<String>
    }
}
