internal import Foundation

extension Jinja.Operators {
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
