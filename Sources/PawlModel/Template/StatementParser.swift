internal import PawlCore

extension Jinja.Parser {
    typealias Statement = Jinja.Statement

    /// The statements of a whole template; throws ``Jinja/Failure`` with its line.
    static func parse(_ source: String) throws -> [Statement] {
        var parser = Jinja.Parser(try Jinja.Lexer.tokens(of: source))
        do {
            return try parser.statements(until: []).body
        } catch let failure as Jinja.Failure {
            throw failure.at(line: parser.line)
        }
    }

    /// Statements up to a tag with one of these names, whose name is taken; up to the end when there is none.
    private mutating func statements(until ends: [String]) throws -> (body: [Statement], end: String) {
        let start = line
        var body: [Statement] = []
        while true {
            let line = line
            switch current.kind {
            case .text(let text):
                index += 1
                body.append(Statement(kind: .text(text), line: line))
            case .variableBegin:
                index += 1
                let value = try tuple()
                guard current.kind == .variableEnd else { throw unexpected("'}}'") }
                index += 1
                body.append(Statement(kind: .output(value), line: line))
            case .blockBegin:
                index += 1
                let name = try expectName()
                if ends.contains(name) { return (body, name) }
                let kind = try nested { try $0.statement(name, line: line) }
                body.append(Statement(kind: kind, line: line))
                try expectBlockEnd()
            case .end where ends.isEmpty: return (body, "")
            case .end: throw Jinja.Failure("the tag has no '\(ends[ends.count - 1])'", line: start)
            default: throw unexpected("text or a tag")
            }
        }
    }

    private mutating func expectBlockEnd() throws {
        guard current.kind == .blockEnd else { throw unexpected("'%}'") }
        index += 1
    }

    /// The body of a tag whose head was read: up to and including the name of its end.
    private mutating func body(until ends: String...) throws -> (body: [Statement], end: String) {
        _ = skip(sign: ":")
        try expectBlockEnd()
        return try statements(until: ends)
    }

    private mutating func statement(_ name: String, line: Int) throws -> Statement.Kind {
        switch name {
        case "if": return try branches()
        case "for": return try loop()
        case "set": return try set()
        case "with": return try with()
        case "macro":
            let name = try expectName()
            let parameters = try parameters()
            return .macro(try macro(name, parameters, until: "endmacro"))
        case "call": return try callBlock()
        case "filter":
            var chain = try filter(of: node(.capturedText, []))
            while isSign("|") { chain = try filter(of: chain) }
            return .filterBlock(chain, body: try body(until: "endfilter").body)
        case "generation":
            let loops = openLoops
            openLoops = 0
            defer { openLoops = loops }
            return .generation(try body(until: "endgeneration").body)
        case "break", "continue":
            guard openLoops > 0 else { throw Jinja.Failure("'\(name)' outside a loop", line: line) }
            return name == "break" ? .leaveLoop : .nextPass
        default:
            throw Jinja.Failure("unknown tag '\(name)'", .unsupported, line: line)
        }
    }

    private mutating func branches() throws -> Statement.Kind {
        var branches: [Statement.Branch] = []
        while true {
            let condition = try tuple(withConditional: false)
            let (body, end) = try body(until: "elif", "else", "endif")
            branches.append(.init(condition: condition, body: body))
            switch end {
            case "elif": continue
            case "else": return .branches(branches, otherwise: try self.body(until: "endif").body)
            default: return .branches(branches, otherwise: [])
            }
        }
    }

    private mutating func loop() throws -> Statement.Kind {
        let target = try target(endingAt: "in", withNamespace: false)
        guard skip(name: "in") else { throw unexpected("'in'") }
        let iterable = try tuple(withConditional: false, endingAt: "recursive")
        let condition = skip(name: "if") ? try expression() : nil
        if isName("recursive") { throw Jinja.Failure.unsupported("a recursive loop").at(line: line) }
        openLoops += 1
        let (body, end) = try body(until: "endfor", "else")
        openLoops -= 1
        let otherwise = end == "else" ? try self.body(until: "endfor").body : []
        return .loop(
            .init(target: target, iterable: iterable, condition: condition, body: body, otherwise: otherwise))
    }

    private mutating func set() throws -> Statement.Kind {
        let target = try target(endingAt: nil, withNamespace: true)
        if skip(sign: "=") { return .set(target, try tuple()) }
        var chain: Expression?
        while isSign("|") { chain = try filter(of: chain ?? node(.capturedText, [])) }
        return .setBlock(target, filter: chain, body: try body(until: "endset").body)
    }

    private mutating func with() throws -> Statement.Kind {
        var bindings: [Statement.Binding] = []
        while current.kind != .blockEnd {
            if !bindings.isEmpty { try expect(sign: ",") }
            let target = try singleTarget(withNamespace: false)
            try expect(sign: "=")
            bindings.append(.init(target: target, value: try expression()))
        }
        return .with(bindings, body: try body(until: "endwith").body)
    }

    private mutating func callBlock() throws -> Statement.Kind {
        let parameters = isSign("(") ? try parameters() : []
        let call = try expression()
        guard case .call = call.kind else { throw Jinja.Failure("'call' needs a call", line: call.line) }
        return .callBlock(call, caller: try macro("caller", parameters, until: "endcall"))
    }

    private mutating func parameters() throws -> [Jinja.MacroSyntax.Parameter] {
        try expect(sign: "(")
        var found: [Jinja.MacroSyntax.Parameter] = []
        while !isSign(")") {
            if !found.isEmpty { try expect(sign: ",") }
            let name = try expectName()
            let fallback = skip(sign: "=") ? try expression() : nil
            if fallback == nil, found.last?.fallback != nil {
                throw unexpected("a default after a parameter that has one")
            }
            found.append(.init(name: name, fallback: fallback))
        }
        try expect(sign: ")")
        return found
    }

    private mutating func macro(
        _ name: String, _ parameters: [Jinja.MacroSyntax.Parameter], until end: String
    ) throws -> Jinja.MacroSyntax {
        let loops = openLoops
        openLoops = 0
        defer { openLoops = loops }
        namesRead.append([])
        let (body, _) = try body(until: end)
        let specials = namesRead.removeLast().intersection(["varargs", "kwargs", "caller"])
        return .init(
            name: name, parameters: parameters, body: body,
            specials: specials.subtracting(parameters.map(\.name)))
    }

    /// One target, or several with commas between them.
    private mutating func target(endingAt end: String?, withNamespace: Bool) throws -> Jinja.Target {
        var targets = [try singleTarget(withNamespace: withNamespace)]
        var isTuple = false
        while skip(sign: ",") {
            isTuple = true
            if current.kind == .blockEnd || isSign("=") || end.map({ isName($0) }) == true { break }
            targets.append(try singleTarget(withNamespace: withNamespace))
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func singleTarget(withNamespace: Bool) throws -> Jinja.Target {
        if skip(sign: "(") {
            let inner = try nested { try $0.target(endingAt: nil, withNamespace: false) }
            try expect(sign: ")")
            return inner
        }
        let name = try expectName()
        guard !["true", "True", "false", "False", "none", "None"].contains(name) else {
            throw Jinja.Failure("'\(name)' cannot be set", line: line)
        }
        guard withNamespace, skip(sign: ".") else { return .name(name) }
        return .attribute(name, try expectName())
    }
}
