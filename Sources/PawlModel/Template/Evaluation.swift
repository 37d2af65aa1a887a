internal import PawlCore

extension Jinja.Interpreter {
    typealias Value = Jinja.Value
    typealias Failure = Jinja.Failure
    typealias Expression = Jinja.Expression
    typealias Scope = Jinja.Scope
    typealias Call = Jinja.Call

    /// The value of an expression; `caller` is handed to the call of a `call` block.
    func evaluate(_ expression: Expression, _ scope: Scope, caller: Value? = nil) throws -> Value {
        try budget.step()
        return try budget.nested {
            switch expression.kind {
            case .none: .none
            case .bool(let flag): .bool(flag)
            case .int(let number): .int(number)
            case .float(let number): .float(number)
            case .string(let text): .string(text)
            case .name(let name): lookup(name, scope)
            case .capturedText: captured[captured.count - 1]
            case .list(let elements): try .list(elements.map { try evaluate($0, scope) })
            case .tuple(let elements): try .tuple(elements.map { try evaluate($0, scope) })
            case .dict(let pairs): try dict(pairs, scope)
            case .attribute, .item, .slice, .call, .filter, .test:
                try access(expression, scope, caller)
            default: try operation(expression, scope)
            }
        }
    }

    private func dict(_ pairs: [Expression.Pair], _ scope: Scope) throws -> Value {
        var mapping = Jinja.Mapping()
        for pair in pairs {
            let key = try evaluate(pair.key, scope)
            try budget.scan(key.text?.utf8.count ?? 0)
            try mapping.set(key, evaluate(pair.value, scope))
        }
        return .dict(mapping)
    }

    private func access(_ expression: Expression, _ scope: Scope, _ caller: Value?) throws -> Value {
        switch expression.kind {
        case .attribute(let base, let name):
            let value = try evaluate(base, scope)
            line = expression.line
            return try attribute(name, of: value)
        case .item(let base, let key):
            let (value, key) = (try evaluate(base, scope), try evaluate(key, scope))
            line = expression.line
            return try item(key, of: value)
        case .slice(let base, let bounds):
            let value = try evaluate(base, scope)
            return try operators.slice(value, bounds.map { try $0.map { try evaluate($0, scope) } })
        case .call(let callee, let arguments):
            let value = try evaluate(callee, scope)
            var call = try self.call(Self.name(of: callee), arguments, scope)
            if let caller { call.keywords.append(.init(name: "caller", value: caller)) }
            line = expression.line
            return try self.call(value, call)
        case .filter(let input, let name, let arguments):
            let value = try evaluate(input, scope)
            let call = try self.call(name, arguments, scope)
            line = expression.line
            return try apply(filter: name, value, call)
        case .test(let input, let name, let arguments):
            let value = try evaluate(input, scope)
            let call = try self.call(name, arguments, scope)
            line = expression.line
            return .bool(try apply(test: name, value, call))
        default: throw Failure.unsupported("this expression")
        }
    }

    private func operation(_ expression: Expression, _ scope: Scope) throws -> Value {
        switch expression.kind {
        case .not(let operand): return .bool(try !operators.isTrue(evaluate(operand, scope)))
        case .negate(let operand): return try operators.negated(evaluate(operand, scope))
        case .plus(let operand): return try operators.signed(evaluate(operand, scope))
        case .binary(let sign, let left, let right):
            let (a, b) = (try evaluate(left, scope), try evaluate(right, scope))
            line = expression.line
            return try operators.binary(sign, a, b)
        case .concatenation(let parts):
            return try operators.concatenation(parts.map { try evaluate($0, scope) })
        case .comparison(let first, let rest):
            var left = try evaluate(first, scope)
            for comparison in rest {
                let right = try evaluate(comparison.right, scope)
                guard try operators.compare(comparison.sign, left, right) else { return .bool(false) }
                left = right
            }
            return .bool(true)
        case .and(let left, let right):
            let value = try evaluate(left, scope)
            return try operators.isTrue(value) ? evaluate(right, scope) : value
        case .or(let left, let right):
            let value = try evaluate(left, scope)
            return try operators.isTrue(value) ? value : evaluate(right, scope)
        case .conditional(let condition, let then, let otherwise):
            if try operators.isTrue(evaluate(condition, scope)) { return try evaluate(then, scope) }
            return try otherwise.map { try evaluate($0, scope) }
                ?? .undefined("the inline 'if' is false and has no 'else'")
        default: throw Failure.unsupported("this expression")
        }
    }

    // MARK: Calls

    private static func name(of callee: Expression) -> String {
        switch callee.kind {
        case .name(let name), .attribute(_, let name): name
        default: "call"
        }
    }

    private func call(_ name: String, _ arguments: Expression.Arguments, _ scope: Scope) throws -> Call {
        var call = Call(name: name, positional: try arguments.positional.map { try evaluate($0, scope) })
        for keyword in arguments.keywords {
            guard !call.keywords.contains(where: { $0.name == keyword.name }) else {
                throw Failure("'\(name)' was given '\(keyword.name)' twice")
            }
            call.keywords.append(.init(name: keyword.name, value: try evaluate(keyword.value, scope)))
        }
        if let rest = arguments.rest {
            call.positional += try Jinja.Cursor(evaluate(rest, scope), budget).rest()
        }
        if let rest = arguments.keywordRest {
            guard case .dict(let mapping) = try evaluate(rest, scope) else {
                throw Failure("'**' in the call of '\(name)' needs a dict")
            }
            for (key, value) in zip(mapping.keys, mapping.values) {
                guard let key = key.text, !call.keywords.contains(where: { $0.name == key }) else {
                    throw Failure("'**' in the call of '\(name)' needs names that are given once")
                }
                call.keywords.append(.init(name: key, value: value))
            }
        }
        return call
    }

    func call(_ callee: Value, _ call: Call) throws -> Value {
        switch callee {
        case .undefined(let reason): throw Failure(reason)
        case .macro(let macro): return try self.call(macro, call)
        case .function(let name):
            guard let function = Self.functions[name] else { throw Failure.unsupported("'\(name)'") }
            return try function(self, call)
        case .method(let receiver, let name): return try self.call(method: name, of: receiver, call)
        case .loop: throw Failure.unsupported("a recursive loop")
        default: throw Failure("'\(callee.typeName)' cannot be called")
        }
    }

    func apply(filter name: String, _ value: Value, _ call: Call) throws -> Value {
        guard let filter = Self.filter(named: name) else {
            throw Failure("unknown filter '\(name)'", .unsupported)
        }
        return try filter(self, value, call)
    }

    func apply(test name: String, _ value: Value, _ call: Call) throws -> Bool {
        guard let test = Self.test(named: name) else {
            throw Failure("unknown test '\(name)'", .unsupported)
        }
        if Self.testsWithoutArgument.contains(name) { _ = try call.bind() }
        return try test(self, value, call)
    }

    // MARK: Attributes and items

    /// `value.name`: what Python's type has comes before a dict's own keys.
    func attribute(_ name: String, of value: Value) throws -> Value {
        if let own = try typeAttribute(name, of: value) { return own }
        if case .dict(let mapping) = value, let member = mapping[name] { return member }
        return .undefined("a value of type \(value.typeName) has no attribute '\(name)'")
    }

    /// `value[key]`: a dict's own keys come before what Python's type has.
    func item(_ key: Value, of value: Value) throws -> Value {
        if let member = try member(key, of: value) { return member }
        if let name = key.text, let own = try typeAttribute(name, of: value) { return own }
        if case .undefined(let reason) = value { throw Failure(reason) }
        var shown = key.text.map { "'\($0)'" } ?? "of type \(key.typeName)"
        if case .int(let index) = key { shown = "\(index)" }
        return .undefined("a value of type \(value.typeName) has no item \(shown)")
    }

    private func member(_ key: Value, of value: Value) throws -> Value? {
        if case .dict(let mapping) = value {
            try budget.scan(key.text?.utf8.count ?? 0)
            switch key {
            case .list, .dict: return nil
            default: return mapping[try Jinja.Key(key)]
            }
        }
        let index: Int
        switch key {
        case .int(let number): index = number
        case .bool(let flag): index = flag ? 1 : 0
        default: return nil
        }
        func place(in count: Int) -> Int? {
            let place = index < 0 ? index + count : index
            return (0..<count).contains(place) ? place : nil
        }
        switch value {
        case .list(let items), .tuple(let items):
            return place(in: items.elements.count).map { items.elements[$0] }
        case .range(let span): return place(in: span.count).map { .int(span[$0]) }
        case .string(let text), .markup(let text):
            try budget.scan(text.utf8.count)
            let scalars = text.unicodeScalars
            return place(in: scalars.count).map {
                value.sameKind(String(scalars[scalars.index(scalars.startIndex, offsetBy: $0)]))
            }
        default: return nil
        }
    }

    private func typeAttribute(_ name: String, of value: Value) throws -> Value? {
        switch value {
        // The sandbox hides what every Python object has, also an undefined one.
        case .undefined where name.hasPrefix("__"): return value
        case .undefined(let reason): throw Failure(reason)
        case .namespace(let namespace): return namespace.members[name]
        case .loop(let loop): return try loop.attribute(name)
        default: break
        }
        let type = Jinja.Methods.names(value)
        if type.changing.contains(name) || name.utf8.first == UInt8(ascii: "_") {
            return .undefined("'\(name)' of a value of type \(value.typeName) is not allowed in a template")
        }
        return type.reading.contains(name) ? .method(value, name) : nil
    }
}
