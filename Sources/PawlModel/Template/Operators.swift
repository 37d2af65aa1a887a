internal import Foundation

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

extension Jinja.Operators {
    typealias Value = Jinja.Value
    typealias Failure = Jinja.Failure

    // MARK: Arithmetic

    func binary(_ sign: String, _ a: Value, _ b: Value) throws -> Value {
        for case .undefined(let reason) in [a, b] {
            // A format string takes an undefined argument and prints nothing for it.
            guard sign == "%", a.text != nil else { throw Failure(reason) }
        }
        if let left = Number(a), let right = Number(b) { return try arithmetic(sign, left, right) }
        switch (sign, a, b) {
        case ("+", _, _): return try joined(a, b)
        case ("*", _, _):
            if let count = Number(b), case .int(let count) = count { return try repeated(a, count) }
            if let count = Number(a), case .int(let count) = count { return try repeated(b, count) }
        case ("%", .string(let format), _): return .string(try formatted(format, b))
        case ("%", .markup, _): throw Failure.unsupported("'%' of text from the filter 'safe'")
        default: break
        }
        throw Failure("'\(sign)' has no meaning for '\(a.typeName)' and '\(b.typeName)'")
    }

    private func joined(_ a: Value, _ b: Value) throws -> Value {
        switch (a, b) {
        case (.list(let left), .list(let right)):
            try budget.grow(16 * (left.elements.count + right.elements.count))
            return try .list(left.elements + right.elements)
        case (.tuple(let left), .tuple(let right)):
            try budget.grow(16 * (left.elements.count + right.elements.count))
            return try .tuple(left.elements + right.elements)
        default:
            guard let left = a.text, let right = b.text else {
                throw Failure("'+' has no meaning for '\(a.typeName)' and '\(b.typeName)'")
            }
            try budget.grow(left.utf8.count + right.utf8.count)
            guard a.isMarkup || b.isMarkup else { return .string(left + right) }
            return .markup(escaped(a, left) + escaped(b, right))
        }
    }

    private func escaped(_ value: Value, _ text: String) -> String {
        value.isMarkup ? text : Jinja.PythonText.escaped(text)
    }

    /// The operator `~`: everything as text.
    func concatenation(_ values: [Value]) throws -> Value {
        let texts = try values.map { try Jinja.Printer.string($0, budget) }
        try budget.grow(texts.reduce(0) { $0 + $1.utf8.count })
        return .string(texts.joined())
    }

    private func repeated(_ value: Value, _ count: Int) throws -> Value {
        let count = max(count, 0)
        func grow(_ size: Int) throws {
            let (bytes, overflow) = size.multipliedReportingOverflow(by: count)
            try budget.grow(overflow ? .max : bytes)
        }
        switch value {
        case .string(let text), .markup(let text):
            try grow(text.utf8.count)
            return value.sameKind(text.isEmpty ? "" : String(repeating: text, count: count))
        case .list(let items):
            try grow(16 * items.elements.count)
            return try .list(items.elements.isEmpty ? [] : (0..<count).flatMap { _ in items.elements })
        case .tuple(let items):
            try grow(16 * items.elements.count)
            return try .tuple(items.elements.isEmpty ? [] : (0..<count).flatMap { _ in items.elements })
        default: throw Failure("'*' has no meaning for '\(value.typeName)' and 'int'")
        }
    }

    private func arithmetic(_ sign: String, _ a: Number, _ b: Number) throws -> Value {
        if sign != "/", case (.int(let left), .int(let right)) = (a, b) {
            return try whole(sign, left, right)
        }
        let (left, right) = (a.double, b.double)
        switch sign {
        case "+": return .float(left + right)
        case "-": return .float(left - right)
        case "*": return .float(left * right)
        case "**": return .float(try power(left, right))
        default: break
        }
        guard right != 0 else { throw Failure("division by zero") }
        if sign == "/" { return .float(left / right) }
        let (quotient, remainder) = Self.divided(left, right)
        return .float(sign == "//" ? quotient : remainder)
    }

    /// Quotient rounded down and the remainder, which takes the divisor's sign.
    private static func divided(_ a: Double, _ b: Double) -> (Double, Double) {
        var remainder = fmod(a, b)
        var quotient = (a - remainder) / b
        if remainder != 0 {
            if (b < 0) != (remainder < 0) {
                remainder += b
                quotient -= 1
            }
        } else {
            remainder = copysign(0, b)
        }
        guard quotient != 0 else { return (copysign(0, a / b), remainder) }
        let down = quotient.rounded(.down)
        return (quotient - down > 0.5 ? down + 1 : down, remainder)
    }

    private func whole(_ sign: String, _ a: Int, _ b: Int) throws -> Value {
        let (result, overflow): (Int, Bool)
        switch sign {
        case "+": (result, overflow) = a.addingReportingOverflow(b)
        case "-": (result, overflow) = a.subtractingReportingOverflow(b)
        case "*": (result, overflow) = a.multipliedReportingOverflow(by: b)
        case "**" where b < 0: return .float(try power(Double(a), Double(b)))
        case "**": (result, overflow) = Self.power(a, b)
        default:
            guard b != 0 else { throw Failure("division by zero") }
            guard !(a == .min && b == -1) else { throw Self.tooLarge }
            let isUneven = a % b != 0 && (a < 0) != (b < 0)
            return .int(sign == "//" ? a / b - (isUneven ? 1 : 0) : a % b + (isUneven ? b : 0))
        }
        guard !overflow else { throw Self.tooLarge }
        return .int(result)
    }

    static var tooLarge: Failure { .unsupported("an integer of more than 64 bits") }

    private static func power(_ base: Int, _ exponent: Int) -> (Int, Bool) {
        if base == 0 || base == 1 { return (exponent == 0 ? 1 : base, false) }
        if base == -1 { return (exponent % 2 == 0 ? 1 : -1, false) }
        var result = 1
        for _ in 0..<min(exponent, 64) {
            let (next, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { return (0, true) }
            result = next
        }
        return (result, exponent > 64)
    }

    private func power(_ base: Double, _ exponent: Double) throws -> Double {
        if base == 0, exponent < 0 { throw Failure("0 cannot be raised to a negative power") }
        if base < 0, base.isFinite, exponent.isFinite, exponent != exponent.rounded() {
            throw Failure.unsupported("a complex number")
        }
        let result = pow(base, exponent)
        guard result.isFinite || !base.isFinite || !exponent.isFinite else {
            throw Failure("the power is too large for a float")
        }
        return result
    }

    func negated(_ value: Value) throws -> Value {
        if case .undefined(let reason) = value { throw Failure(reason) }
        switch Number(value) {
        case .int(let number)?:
            guard number != .min else { throw Self.tooLarge }
            return .int(-number)
        case .float(let number)?: return .float(-number)
        case nil: throw Failure("'-' has no meaning for '\(value.typeName)'")
        }
    }

    /// Unary `+`.
    func signed(_ value: Value) throws -> Value {
        if case .undefined(let reason) = value { throw Failure(reason) }
        switch Number(value) {
        case .int(let number)?: return .int(number)
        case .float(let number)?: return .float(number)
        case nil: throw Failure("'+' has no meaning for '\(value.typeName)'")
        }
    }

    // MARK: Slices

    /// `value[start:stop:step]`.
    func slice(_ value: Value, _ bounds: [Value?]) throws -> Value {
        if case .undefined(let reason) = value { throw Failure(reason) }
        var numbers: [Int?] = []
        for bound in bounds {
            switch bound {
            case nil, Value.none?: numbers.append(nil)
            case .int(let number)?: numbers.append(number)
            case .bool(let flag)?: numbers.append(flag ? 1 : 0)
            case let other?: throw Failure("a slice needs integers, not \(other.typeName)")
            }
        }
        switch value {
        case .string(let text), .markup(let text):
            try budget.grow(4 * text.utf8.count)
            let scalars = Array(text.unicodeScalars)
            return value.sameKind(Jinja.PythonText.text(try indices(numbers, scalars.count).map { scalars[$0] }))
        case .list(let items):
            try budget.grow(16 * items.elements.count)
            return try .list(try indices(numbers, items.elements.count).map { items.elements[$0] })
        case .tuple(let items):
            try budget.grow(16 * items.elements.count)
            return try .tuple(try indices(numbers, items.elements.count).map { items.elements[$0] })
        case .range: throw Failure.unsupported("a slice of a range")
        default: throw Failure("'\(value.typeName)' cannot be sliced")
        }
    }

    private func indices(_ bounds: [Int?], _ count: Int) throws -> StrideTo<Int> {
        let step = bounds.count > 2 ? bounds[2] ?? 1 : 1
        guard step != 0 else { throw Failure("the step of a slice cannot be 0") }
        let (lowest, highest) = step > 0 ? (0, count) : (-1, count - 1)
        func clamped(_ bound: Int?, _ fallback: Int) -> Int {
            guard let bound else { return fallback }
            return min(max(bound < 0 ? bound + count : bound, lowest), highest)
        }
        let start = clamped(bounds[0], step > 0 ? lowest : highest)
        let end = clamped(bounds[1], step > 0 ? highest : lowest)
        // A step beyond the length takes one element; larger ones would overflow the stride.
        return stride(from: start, to: end, by: min(max(step, -count - 1), count + 1))
    }

    // MARK: Format strings

    /// Python's `format % values`.
    func formatted(_ format: String, _ values: Value) throws -> String {
        var arguments: [Value] = [values]
        if case .tuple(let items) = values { arguments = items.elements }
        var out = ""
        var rest = format.unicodeScalars[...]
        var next = 0
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                out.unicodeScalars.append(scalar)
                continue
            }
            let flags = rest.prefix { "-+ 0#".unicodeScalars.contains($0) }
            rest = rest[flags.endIndex...]
            let widths = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            rest = rest[widths.endIndex...]
            guard let kind = rest.popFirst() else { throw Failure("incomplete format") }
            if kind == "%", flags.isEmpty, widths.isEmpty {
                out += "%"
                continue
            }
            guard next < arguments.count else { throw Failure("not enough arguments for the format string") }
            guard flags.isEmpty else { throw Failure.unsupported("the format flag '\(String(flags))'") }
            out += try formatted(arguments[next], kind, String(widths))
            next += 1
            try budget.grow(out.utf8.count)
        }
        switch values {
        case .dict, .list, .range, .undefined: break
        default:
            guard next == arguments.count else {
                throw Failure("not all arguments of the format string were used")
            }
        }
        return out
    }

    private func formatted(_ value: Value, _ kind: Unicode.Scalar, _ widths: String) throws -> String {
        switch (kind, Number(value)) {
        case ("s", _) where widths.isEmpty: return try Jinja.Printer.string(value, budget)
        case ("r", _) where widths.isEmpty: return try Jinja.Printer.representation(value, budget)
        case ("d", .int(let number)?) where widths.isEmpty, ("i", .int(let number)?) where widths.isEmpty:
            return "\(number)"
        case ("d", .float(let number)?) where widths.isEmpty:
            guard let whole = Int(exactly: number.rounded(.towardZero)) else { throw Self.tooLarge }
            return "\(whole)"
        case ("f", let number?) where number.double.isFinite:
            let digits = widths.isEmpty ? 6 : widths.hasPrefix(".") ? Int(widths.dropFirst()) : nil
            guard let digits, digits <= 50 else { break }
            return String(format: "%.\(digits)f", number.double)
        case ("d", nil), ("i", nil), ("f", nil):
            throw Failure("'%\(kind)' needs a number, not \(value.typeName)")
        default: break
        }
        throw Failure.unsupported("the format '%\(widths)\(kind)'")
    }
}
