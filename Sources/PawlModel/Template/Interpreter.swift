internal import Foundation

extension Jinja {
    /// Runs the statements of a template once.
    final class Interpreter {
        /// What a statement does to the loop around it.
        private enum Flow { case onward, nextPass, leaveLoop }

        let budget: Budget
        let operators: Operators
        /// What `strftime_now` takes for the present.
        let now: Date
        /// Line of the expression evaluated last, for errors.
        var line = 1
        private let context: [String: Value]
        private var out = ""
        /// Texts of the blocks that filters are being applied to.
        var captured: [Value] = []
        // Namespaces and macros can hold each other in circles and in long chains: they are kept here until
        // the end and emptied one by one, so that all are freed and none by deep recursion.
        private var namespaces: [Namespace] = []
        private var macroScopes: [Scope] = []

        init(context: [String: Value], now: Date, limits: Limits) {
            self.context = context
            self.now = now
            budget = Budget(limits)
            operators = Operators(budget)
        }

        /// The rendered text; throws ``Failure`` with its line.
        func render(_ template: [Statement]) throws -> String {
            defer {
                for namespace in namespaces { namespace.clear() }
                for scope in macroScopes { scope.clear() }
            }
            do {
                _ = try run(template, Scope())
            } catch let failure as Failure {
                throw failure.at(line: line)
            }
            return out
        }

        func register(_ namespace: Namespace) throws -> Value {
            try budget.grow(256)
            namespaces.append(namespace)
            return .namespace(namespace)
        }

        /// The value of a variable, of the caller's context, or of what every template knows.
        func lookup(_ name: String, _ scope: Scope) -> Value {
            if let value = scope.lookup(name) ?? context[name] { return value }
            return Self.functions[name] == nil ? .undefined("'\(name)' is undefined") : .function(name)
        }

        private func write(_ text: String) throws {
            try budget.write(text.utf8.count)
            out += text
        }

        /// The text that a body gives.
        private func capture(_ body: [Statement], _ scope: Scope) throws -> String {
            let outer = out
            out = ""
            defer { out = outer }
            _ = try run(body, scope)
            try budget.grow(out.utf8.count)
            return out
        }

        private func run(_ body: [Statement], _ scope: Scope) throws -> Flow {
            for statement in body {
                let flow = try budget.nested { try run(statement, scope) }
                if flow != .onward { return flow }
            }
            return .onward
        }

        private func run(_ statement: Statement, _ scope: Scope) throws -> Flow {
            try budget.step()
            line = statement.line
            switch statement.kind {
            case .text(let text): try write(text)
            case .output(let value): try write(Printer.string(evaluate(value, scope), budget))
            case .branches(let branches, let otherwise):
                for branch in branches where try operators.isTrue(evaluate(branch.condition, scope)) {
                    return try run(branch.body, scope)
                }
                return try run(otherwise, scope)
            case .loop(let loop): return try run(loop, scope)
            case .set(let target, let value): try assign(evaluate(value, scope), to: target, scope)
            case .setBlock(let target, let filter, let body):
                let text = try filtered(.string(capture(body, Scope(scope))), filter, scope)
                try assign(text, to: target, scope)
            case .with(let bindings, let body):
                let inner = Scope(scope)
                for binding in bindings {
                    try assign(evaluate(binding.value, scope), to: binding.target, inner)
                }
                return try run(body, inner)
            case .filterBlock(let filter, let body):
                let text = try filtered(.string(capture(body, Scope(scope))), filter, scope)
                try write(Printer.string(text, budget))
            case .macro(let syntax): scope.set(syntax.name, try macro(syntax, scope))
            case .callBlock(let call, let caller):
                let caller = try macro(caller, scope)
                try write(Printer.string(evaluate(call, scope, caller: caller), budget))
            case .generation(let body): _ = try run(body, Scope(scope))
            case .leaveLoop: return .leaveLoop
            case .nextPass: return .nextPass
            }
            return .onward
        }

        private func filtered(_ text: Value, _ filter: Expression?, _ scope: Scope) throws -> Value {
            guard let filter else { return text }
            captured.append(text)
            defer { captured.removeLast() }
            return try evaluate(filter, scope)
        }

        private func run(_ syntax: Statement.ForLoop, _ scope: Scope) throws -> Flow {
            let source = try evaluate(syntax.iterable, scope)
            var cursor = try Cursor(source, budget)
            if let condition = syntax.condition {
                let all = cursor
                cursor = Cursor { [unowned self] in
                    while let value = try all.next() {
                        let inner = Scope(scope)
                        try assign(value, to: syntax.target, inner)
                        if try operators.isTrue(evaluate(condition, inner)) { return value }
                    }
                    return nil
                }
            }
            let loop = Loop(cursor)
            // As in jinja2, a pass counts as one when it runs to its end: `else` also follows passes that were left.
            var isEmpty = true
            while let value = try loop.next() {
                try budget.iterate()
                let inner = Scope(scope)
                inner.set("loop", .loop(loop))
                try assign(value, to: syntax.target, inner)
                let flow = try run(syntax.body, inner)
                if flow == .leaveLoop { break }
                if flow == .onward { isEmpty = false }
            }
            return isEmpty ? try run(syntax.otherwise, Scope(scope)) : .onward
        }

        /// Binds a value to a name, the names of a tuple, or an attribute of a namespace.
        private func assign(_ value: Value, to target: Target, _ scope: Scope) throws {
            switch target {
            case .name(let name): scope.set(name, value)
            case .attribute(let name, let attribute):
                guard case .namespace(let namespace) = lookup(name, scope) else {
                    throw Failure("'\(name).\(attribute)' cannot be set: '\(name)' is no namespace")
                }
                try namespace.set(.string(attribute), value)
            case .tuple(let targets):
                let values = try Cursor(value, budget).rest()
                guard values.count == targets.count else {
                    throw Failure("\(values.count) values for \(targets.count) names")
                }
                for (target, value) in zip(targets, values) { try assign(value, to: target, scope) }
            }
        }

        // MARK: Macros

        private func macro(_ syntax: MacroSyntax, _ scope: Scope) throws -> Value {
            try budget.grow(256)
            macroScopes.append(scope)
            return .macro(Macro(syntax, scope))
        }

        func call(_ macro: Macro, _ call: Call) throws -> Value {
            let syntax = macro.syntax
            let scope = Scope(macro.scope)
            var keywords = call.keywords
            for (index, parameter) in syntax.parameters.enumerated() {
                let keyword = keywords.firstIndex { $0.name == parameter.name }
                if index < call.positional.count {
                    scope.set(parameter.name, call.positional[index])
                } else if let keyword {
                    scope.set(parameter.name, keywords.remove(at: keyword).value)
                } else if let fallback = parameter.fallback {
                    scope.set(parameter.name, try evaluate(fallback, scope))
                } else {
                    scope.set(parameter.name, .undefined("parameter '\(parameter.name)' was not provided"))
                }
            }
            try bindSpecials(macro, call, keywords, scope)
            let text = try capture(syntax.body, scope)
            return .string(text)
        }

        private func bindSpecials(
            _ macro: Macro, _ call: Call, _ keywords: [Call.Keyword], _ scope: Scope
        ) throws {
            let syntax = macro.syntax
            var keywords = keywords
            if syntax.specials.contains("caller") {
                let caller = keywords.firstIndex { $0.name == "caller" }
                scope.set(
                    "caller", caller.map { keywords.remove(at: $0).value } ?? .undefined("No caller defined"))
            }
            if syntax.specials.contains("kwargs") {
                var rest = Mapping()
                for keyword in keywords { try rest.set(.string(keyword.name), keyword.value) }
                scope.set("kwargs", .dict(rest))
            } else if let keyword = keywords.first {
                throw Failure("macro '\(syntax.name)' takes no keyword argument '\(keyword.name)'")
            }
            let extra = Array(call.positional.dropFirst(syntax.parameters.count))
            if syntax.specials.contains("varargs") {
                scope.set("varargs", try .tuple(extra))
            } else if !extra.isEmpty {
                throw Failure("macro '\(syntax.name)' takes at most \(syntax.parameters.count) arguments")
            }
        }
    }

    /// The arguments of a call.
    struct Call {
        struct Keyword {
            let name: String
            let value: Value
        }
        /// What is called, for errors.
        let name: String
        var positional: [Value] = []
        var keywords: [Keyword] = []

        /// The arguments in the order of the parameters; nil where none was given.
        func bind(_ parameters: String..., required: Int = 0) throws -> [Value?] {
            guard positional.count <= parameters.count else {
                throw Failure("'\(name)' takes at most \(parameters.count) arguments")
            }
            var found: [Value?] = positional
            found += Array(repeating: nil, count: parameters.count - positional.count)
            for keyword in keywords {
                guard let place = parameters.firstIndex(of: keyword.name), found[place] == nil else {
                    throw Failure("'\(name)' takes no argument '\(keyword.name)' here")
                }
                found[place] = keyword.value
            }
            for index in 0..<required where found[index] == nil {
                throw Failure("'\(name)' needs the argument '\(parameters[index])'")
            }
            return found
        }
    }
}
