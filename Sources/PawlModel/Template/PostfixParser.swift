internal import PawlCore

/// What follows a value: attributes, subscripts, calls, filters and tests.
extension Jinja.Parser {
    mutating func postfixes(of value: Expression) throws -> Expression {
        var value = value
        while true {
            if skip(sign: ".") {
                value = try member(of: value)
            } else if isSign("[") {
                value = try subscripted(value)
            } else if isSign("(") {
                value = try call(value)
            } else {
                return value
            }
        }
    }

    private mutating func member(of value: Expression) throws -> Expression {
        let start = line
        if case .integer(let number) = current.kind {
            index += 1
            let key = try node(.int(number), [], line: start)
            return try node(.item(value, key), [value, key], line: start)
        }
        return try node(.attribute(value, try expectName()), [value], line: start)
    }

    private mutating func subscripted(_ value: Expression) throws -> Expression {
        let start = line
        try expect(sign: "[")
        var bounds: [Expression?] = []
        var bound: Expression?
        while !isSign("]") {
            if skip(sign: ":") {
                bounds.append(bound)
                bound = nil
            } else if isSign(",") {
                throw Jinja.Failure.unsupported("a subscript with a comma").at(line: line)
            } else if bound != nil {
                throw unexpected("']'")
            } else {
                bound = try expression()
            }
        }
        try expect(sign: "]")
        if bounds.isEmpty {
            guard let bound else { throw unexpected("a subscript") }
            return try node(.item(value, bound), [value, bound], line: start)
        }
        bounds.append(bound)
        guard bounds.count <= 3 else { throw unexpected("a slice of at most three parts") }
        return try node(.slice(value, bounds), [value] + bounds.compactMap(\.self), line: start)
    }

    private mutating func call(_ value: Expression) throws -> Expression {
        let start = line
        let arguments = try arguments()
        return try node(.call(value, arguments), [value] + arguments.all, line: start)
    }

    mutating func arguments() throws -> Expression.Arguments {
        var found = Expression.Arguments()
        _ = try elements(from: "(", to: ")") { parser in
            if parser.skip(sign: "*") {
                guard found.rest == nil, found.keywordRest == nil else {
                    throw parser.unexpected("one '*' argument before any '**'")
                }
                found.rest = try parser.expression()
            } else if parser.skip(sign: "**") {
                guard found.keywordRest == nil else { throw parser.unexpected("one '**' argument") }
                found.keywordRest = try parser.expression()
            } else if case .name(let name) = parser.current.kind, parser.isSign("=", ahead: 1) {
                guard found.keywordRest == nil else { throw parser.unexpected("no keyword after '**'") }
                parser.index += 2
                found.keywords.append(.init(name: name, value: try parser.expression()))
            } else {
                guard found.rest == nil, found.keywordRest == nil, found.keywords.isEmpty else {
                    throw parser.unexpected("a keyword argument")
                }
                found.positional.append(try parser.expression())
            }
        }
        return found
    }

    mutating func filtersAndTests(of value: Expression) throws -> Expression {
        var value = value
        while true {
            if isSign("|") {
                value = try filter(of: value)
            } else if isName("is") {
                value = try test(of: value)
            } else if isSign("(") {
                value = try call(value)
            } else {
                return value
            }
        }
    }

    /// One `| name(...)`, whose bar is skipped when it stands there.
    mutating func filter(of value: Expression) throws -> Expression {
        _ = skip(sign: "|")
        let start = line
        let name = try dottedName()
        guard Jinja.Interpreter.filter(named: name) != nil else {
            throw Jinja.Failure("unknown filter '\(name)'", .unsupported, line: start)
        }
        let arguments = isSign("(") ? try arguments() : .init()
        return try node(.filter(value, name, arguments), [value] + arguments.all, line: start)
    }

    private mutating func dottedName() throws -> String {
        var name = try expectName()
        while skip(sign: ".") { name += "." + (try expectName()) }
        return name
    }

    private mutating func test(of value: Expression) throws -> Expression {
        let start = line
        index += 1
        let isNegated = skip(name: "not")
        let name = try dottedName()
        guard Jinja.Interpreter.test(named: name) != nil else {
            throw Jinja.Failure("unknown test '\(name)'", .unsupported, line: start)
        }
        var arguments = Expression.Arguments()
        if isSign("(") {
            arguments = try self.arguments()
        } else if startsTestArgument {
            if isName("is") { throw unexpected("no second test") }
            let operand = try primary()
            arguments.positional = [try postfixes(of: operand)]
        }
        let node = try node(.test(value, name, arguments), [value] + arguments.all, line: start)
        return isNegated ? try self.node(.not(node), [node], line: start) : node
    }

    private var startsTestArgument: Bool {
        switch current.kind {
        case .name(let name): !["else", "or", "and"].contains(name)
        case .string, .integer, .float, .sign("["), .sign("{"): true
        default: false
        }
    }
}
