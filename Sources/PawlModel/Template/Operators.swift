extension Jinja {
    /// Python's operators on values.
    struct Operators {
        let budget: Budget

        init(_ budget: Budget) { self.budget = budget }

        /// The number that a value counts as, since True is 1.
        enum Number {
            case int(Int)
            case float(Double)

            init?(_ value: Value) {
                switch value {
                case .bool(let flag): self = .int(flag ? 1 : 0)
                case .int(let number): self = .int(number)
                case .float(let number): self = .float(number)
                default: return nil
                }
            }

            var double: Double {
                switch self {
                case .int(let number): Double(number)
                case .float(let number): number
                }
            }
        }

        // MARK: Truth, equality, order

        func isTrue(_ value: Value) throws -> Bool {
            switch value {
            case .undefined, .none: false
            case .bool(let flag): flag
            case .int(let number): number != 0
            case .float(let number): number != 0
            case .string(let text), .markup(let text): !text.isEmpty
            case .list(let items), .tuple(let items): !items.elements.isEmpty
            case .dict(let mapping), .view(_, let mapping): mapping.count > 0
            case .range(let span): span.count > 0
            case .loop(let loop): try loop.length() > 0
            case .generator, .namespace, .macro, .function, .method: true
            }
        }

        func isEqual(_ a: Value, _ b: Value) throws -> Bool {
            try budget.step()
            if let left = Number(a), let right = Number(b) { return isEqual(left, right) }
            if let left = a.text, let right = b.text {
                try budget.scan(min(left.utf8.count, right.utf8.count))
                return PythonText.isEqual(left, right)
            }
            switch (a, b) {
            case (.undefined, .undefined), (.none, .none): return true
            case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
                guard left.elements.count == right.elements.count else { return false }
                for (one, other) in zip(left.elements, right.elements) where try !isEqual(one, other) {
                    return false
                }
                return true
            case (.dict(let left), .dict(let right)):
                guard left.count == right.count else { return false }
                for (key, value) in zip(left.keys, left.values) {
                    guard let other = right[try Key(key)], try isEqual(value, other) else { return false }
                }
                return true
            case (.range(let left), .range(let right)):
                return left.count == right.count && (0..<left.count).allSatisfy { left[$0] == right[$0] }
            case (.namespace(let left), .namespace(let right)): return left === right
            case (.macro(let left), .macro(let right)): return left === right
            case (.generator(let left), .generator(let right)): return left === right
            default: return false
            }
        }

        private func isEqual(_ a: Number, _ b: Number) -> Bool {
            switch (a, b) {
            case (.int(let left), .int(let right)): left == right
            case (.float(let left), .float(let right)): left == right
            case (.int(let whole), .float(let number)), (.float(let number), .int(let whole)):
                Int(exactly: number) == whole
            }
        }

        func isLess(_ a: Value, _ b: Value) throws -> Bool {
            try budget.step()
            if case (.int(let left)?, .int(let right)?) = (Number(a), Number(b)) { return left < right }
            if let left = Number(a), let right = Number(b) { return left.double < right.double }
            if let left = a.text, let right = b.text {
                try budget.scan(min(left.utf8.count, right.utf8.count))
                return PythonText.isLess(left, right)
            }
            switch (a, b) {
            case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
                for (one, other) in zip(left.elements, right.elements) where try !isEqual(one, other) {
                    return try isLess(one, other)
                }
                return left.elements.count < right.elements.count
            case (.undefined(let reason), _), (_, .undefined(let reason)): throw Failure(reason)
            default: throw Failure("'\(a.typeName)' and '\(b.typeName)' have no order")
            }
        }

        func compare(_ sign: String, _ a: Value, _ b: Value) throws -> Bool {
            switch sign {
            case "==": return try isEqual(a, b)
            case "!=": return try !isEqual(a, b)
            case "<": return try isLess(a, b)
            case ">": return try isLess(b, a)
            case "in": return try contains(b, a)
            case "not in": return try !contains(b, a)
            default:
                // Not the opposite of the other order: nan is neither.
                let isOrdered = try sign == "<=" ? isLess(a, b) : isLess(b, a)
                return try isOrdered || isEqual(a, b)
            }
        }

        /// `element in container`.
        func contains(_ container: Value, _ element: Value) throws -> Bool {
            switch container {
            case .string(let text), .markup(let text):
                guard let part = element.text else {
                    throw Failure("'in' of a string needs a string, not \(element.typeName)")
                }
                try budget.scan(text.utf8.count + part.utf8.count)
                return PythonText.contains(text, part)
            case .dict(let mapping), .view(.keys, let mapping): return mapping[try Key(element)] != nil
            default:
                let cursor = try Cursor(container, budget)
                while let candidate = try cursor.next() {
                    if try isEqual(candidate, element) { return true }
                }
                return false
            }
        }
    }
}
