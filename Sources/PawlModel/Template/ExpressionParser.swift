internal import PawlCore

extension Jinja {
    /// Reads tokens one after the other and builds expressions, in jinja2's order of precedence:
    /// inline `if`, `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`, `**`, signs, filters and tests.
    struct Parser {
        let tokens: [Token]
        var index = 0
        /// Levels of the parser's own recursion.
        private var level = 0
        /// Names that the macros being parsed read, innermost last.
        var namesRead: [Set<String>] = []
        /// How many loops surround the current tag within its macro.
        var openLoops = 0

        init(_ tokens: [Token]) { self.tokens = tokens }

        var current: Token { tokens[min(index, tokens.count - 1)] }
        var line: Int { current.line }

        func isSign(_ sign: String, ahead: Int = 0) -> Bool {
            index + ahead < tokens.count && tokens[index + ahead].kind == .sign(sign)
        }

        func isName(_ name: String, ahead: Int = 0) -> Bool {
            index + ahead < tokens.count && tokens[index + ahead].kind == .name(name)
        }

        mutating func skip(sign: String) -> Bool {
            guard isSign(sign) else { return false }
            index += 1
            return true
        }

        mutating func skip(name: String) -> Bool {
            guard isName(name) else { return false }
            index += 1
            return true
        }

        mutating func expect(sign: String) throws {
            guard skip(sign: sign) else { throw unexpected("'\(sign)'") }
        }

        mutating func expectName() throws -> String {
            guard case .name(let name) = current.kind else { throw unexpected("a name") }
            index += 1
            return name
        }

        func unexpected(_ wanted: String) -> Failure {
            let found =
                switch current.kind {
                case .text: "text"
                case .blockBegin: "'{%'"
                case .blockEnd: "'%}'"
                case .variableBegin: "'{{'"
                case .variableEnd: "'}}'"
                case .end: "the end of the template"
                case .name(let name): "'\(name)'"
                case .string: "a string"
                case .integer(let value): "\(value)"
                case .float(let value): "\(value)"
                case .sign(let sign): "'\(sign)'"
                }
            return Failure("expected \(wanted), found \(found)", line: line)
        }

        /// Runs a part of the parser one level deeper, within bounds.
        mutating func nested<T>(_ body: (inout Parser) throws -> T) throws -> T {
            level += 1
            defer { level -= 1 }
            guard level <= 60 else { throw Failure("nested deeper than 60 levels", line: line) }
            return try body(&self)
        }

        func node(_ kind: Expression.Kind, _ children: [Expression], line: Int? = nil) throws -> Expression {
            let node = Expression(kind, line: line ?? self.line, children)
            guard node.depth <= 150 else {
                throw Failure("an expression deeper than 150 levels", line: node.line)
            }
            return node
        }
    }
}

extension Jinja.Parser {
    typealias Expression = Jinja.Expression

    mutating func expression() throws -> Expression { try nested { try $0.conditional() } }

    private mutating func conditional() throws -> Expression {
        var value = try disjunction()
        while skip(name: "if") {
            let condition = try disjunction()
            let otherwise = skip(name: "else") ? try expression() : nil
            value = try node(
                .conditional(condition: condition, then: value, otherwise: otherwise),
                [condition, value] + [otherwise].compactMap(\.self))
        }
        return value
    }

    mutating func disjunction() throws -> Expression {
        var left = try conjunction()
        while skip(name: "or") {
            let right = try conjunction()
            left = try node(.or(left, right), [left, right])
        }
        return left
    }

    private mutating func conjunction() throws -> Expression {
        var left = try negation()
        while skip(name: "and") {
            let right = try negation()
            left = try node(.and(left, right), [left, right])
        }
        return left
    }

    private mutating func negation() throws -> Expression {
        guard skip(name: "not") else { return try comparison() }
        let operand = try nested { try $0.negation() }
        return try node(.not(operand), [operand])
    }

    private mutating func comparison() throws -> Expression {
        let first = try sum()
        var rest: [Expression.Comparison] = []
        while let sign = comparisonSign() { rest.append(.init(sign: sign, right: try sum())) }
        return rest.isEmpty ? first : try node(.comparison(first, rest), [first] + rest.map(\.right))
    }

    private mutating func comparisonSign() -> String? {
        for sign in ["==", "!=", "<=", ">=", "<", ">"] where skip(sign: sign) { return sign }
        if skip(name: "in") { return "in" }
        guard isName("not"), isName("in", ahead: 1) else { return nil }
        index += 2
        return "not in"
    }

    private mutating func sum() throws -> Expression {
        try chain(["+", "-"]) { try $0.concatenation() }
    }

    private mutating func chain(
        _ signs: [String], _ operand: (inout Jinja.Parser) throws -> Expression
    ) throws -> Expression {
        var left = try operand(&self)
        while let sign = signs.first(where: { isSign($0) }) {
            index += 1
            let right = try operand(&self)
            left = try node(.binary(sign, left, right), [left, right])
        }
        return left
    }

    private mutating func concatenation() throws -> Expression {
        var parts = [try product()]
        while skip(sign: "~") { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : try node(.concatenation(parts), parts)
    }

    private mutating func product() throws -> Expression {
        // jinja2 groups powers from the left, unlike Python.
        try chain(["*", "//", "/", "%"]) { try $0.chain(["**"]) { try $0.signed(withFilters: true) } }
    }

    private mutating func signed(withFilters: Bool) throws -> Expression {
        var value: Expression
        if skip(sign: "-") {
            let operand = try nested { try $0.signed(withFilters: false) }
            value = try node(.negate(operand), [operand])
        } else if skip(sign: "+") {
            let operand = try nested { try $0.signed(withFilters: false) }
            value = try node(.plus(operand), [operand])
        } else {
            value = try primary()
        }
        value = try postfixes(of: value)
        return withFilters ? try filtersAndTests(of: value) : value
    }

    mutating func primary() throws -> Expression {
        let start = line
        switch current.kind {
        case .name(let name):
            index += 1
            return try named(name, line: start)
        case .string(let first):
            var text = first
            index += 1
            while case .string(let next) = current.kind {
                text += next
                index += 1
            }
            return try node(.string(text), [], line: start)
        case .integer(let value):
            index += 1
            return try node(.int(value), [], line: start)
        case .float(let value):
            index += 1
            return try node(.float(value), [], line: start)
        case .sign("("):
            index += 1
            let value = try nested { try $0.tuple(isParenthesised: true) }
            try expect(sign: ")")
            return value
        case .sign("["):
            let elements = try elements(from: "[", to: "]") { try $0.expression() }
            return try node(.list(elements), elements, line: start)
        case .sign("{"):
            let pairs = try elements(from: "{", to: "}") { parser in
                let key = try parser.expression()
                try parser.expect(sign: ":")
                return Expression.Pair(key: key, value: try parser.expression())
            }
            return try node(.dict(pairs), pairs.flatMap { [$0.key, $0.value] }, line: start)
        default: throw unexpected("an expression")
        }
    }

    private mutating func named(_ name: String, line: Int) throws -> Expression {
        switch name {
        case "true", "True": return try node(.bool(true), [], line: line)
        case "false", "False": return try node(.bool(false), [], line: line)
        case "none", "None": return try node(.none, [], line: line)
        default:
            for index in namesRead.indices { namesRead[index].insert(name) }
            return try node(.name(name), [], line: line)
        }
    }

    mutating func elements<T>(
        from open: String, to close: String, _ element: (inout Jinja.Parser) throws -> T
    ) throws -> [T] {
        try expect(sign: open)
        var found: [T] = []
        while !isSign(close) {
            if !found.isEmpty { try expect(sign: ",") }
            if isSign(close) { break }
            found.append(try element(&self))
        }
        try expect(sign: close)
        return found
    }

    /// One expression, or several with commas between them, which make a tuple.
    mutating func tuple(
        withConditional: Bool = true, isParenthesised: Bool = false, endingAt endName: String? = nil
    ) throws -> Expression {
        let start = line
        var parts: [Expression] = []
        var isTuple = false
        while !isTupleEnd(endName) {
            parts.append(try withConditional ? expression() : nested { try $0.disjunction() })
            guard skip(sign: ",") else { break }
            isTuple = true
        }
        if !isTuple, parts.count == 1 { return parts[0] }
        guard isTuple || isParenthesised else { throw unexpected("an expression") }
        return try node(.tuple(parts), parts, line: start)
    }

    private func isTupleEnd(_ endName: String?) -> Bool {
        switch current.kind {
        case .variableEnd, .blockEnd, .sign(")"): true
        case .name(let name): name == endName
        default: false
        }
    }
}
