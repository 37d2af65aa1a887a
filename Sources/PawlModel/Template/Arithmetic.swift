internal import Foundation

extension Jinja.Operators {
    typealias Value = Jinja.Value
    typealias Failure = Jinja.Failure

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
}
