internal import Foundation

extension Jinja.Interpreter {
    typealias Filter = @Sendable (Jinja.Interpreter, Value, Call) throws -> Value
    typealias Text = Jinja.PythonText

    static func filter(named name: String) -> Filter? {
        textFilters[name] ?? valueFilters[name] ?? sequenceFilters[name]
    }

    // MARK: Text

    private static let textFilters: [String: Filter] = [
        "trim": { run, value, call in
            let characters = try call.bind("chars")[0].flatMap { try run.optionalText($0, call.name) }
            return try run.mapText(value) { Text.stripped($0, characters) }
        },
        "upper": { run, value, call in try run.mapText(value, call) { Text.upper($0) } },
        "lower": { run, value, call in try run.mapText(value, call) { Text.lower($0) } },
        "capitalize": { run, value, call in try run.mapText(value, call) { Text.capitalized($0) } },
        "title": { run, value, call in try run.mapText(value, call) { Text.wordsTitled($0) } },
        "string": { run, value, call in try run.mapText(value, call) { $0 } },
        "safe": { run, value, call in .markup(try run.string(value)) },
        "escape": { run, value, call in try run.escaped(value) },
        "e": { run, value, call in try run.escaped(value) },
        "replace": { run, value, call in try run.replace(value, call) },
        "indent": { run, value, call in try run.indent(value, call) },
        "join": { run, value, call in try run.join(value, call) },
        "tojson": { run, value, call in try run.json(value, call) },
        "format": { run, value, call in
            guard call.keywords.isEmpty, case .string(let format) = value else {
                throw Failure.unsupported("the filter 'format' with these arguments")
            }
            return .string(try run.operators.formatted(format, .tuple(call.positional)))
        },
    ]

    func string(_ value: Value) throws -> String { try Jinja.Printer.string(value, budget) }

    private func mapText(_ value: Value, _ call: Call? = nil, _ body: (String) -> String) throws -> Value {
        _ = try call?.bind()
        let text = try string(value)
        try budget.grow(text.utf8.count)
        return value.sameKind(body(text))
    }

    private func optionalText(_ value: Value, _ name: String) throws -> String? {
        if case .none = value { return nil }
        guard let text = value.text else {
            throw Failure("'\(name)' needs a string, not \(value.typeName)")
        }
        return text
    }

    private func integer(_ value: Value, _ name: String) throws -> Int {
        guard case .int(let number) = Jinja.Operators.Number(value) else {
            throw Failure("'\(name)' needs an integer, not \(value.typeName)")
        }
        return number
    }

    private func escaped(_ value: Value) throws -> Value {
        if value.isMarkup { return value }
        let text = try string(value)
        try budget.grow(6 * text.utf8.count)
        return .markup(Text.escaped(text))
    }

    private func replace(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("old", "new", "count", required: 2)
        let old = try string(found[0] ?? .none)
        let new = try string(found[1] ?? .none)
        var limit = -1
        if let count = found[2] {
            if case .none = count {} else { limit = try integer(count, call.name) }
        }
        return .string(try replaced(string(value), old, new, limit))
    }

    private func indent(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("width", "first", "blank")
        if case .undefined(let reason) = value { throw Failure(reason) }
        guard let text = value.text else { throw Failure("'indent' needs a string, not \(value.typeName)") }
        let space = try found[0]?.text ?? spaces(found[0].map { try integer($0, call.name) } ?? 4)
        let isFirst = try found[1].map { try operators.isTrue($0) } ?? false
        let isBlank = try found[2].map { try operators.isTrue($0) } ?? false
        let lines = Text.lines(text + "\n")
        try budget.grow(text.utf8.count + lines.count * (space.utf8.count + 16))
        let rest = lines.dropFirst().map { isBlank || !$0.isEmpty ? space + $0 : $0 }
        let body = ([lines[0]] + rest).joined(separator: "\n")
        return value.sameKind(isFirst ? space + body : body)
    }

    private func spaces(_ count: Int) throws -> String {
        try budget.grow(max(count, 0))
        return String(repeating: " ", count: max(count, 0))
    }

    private func join(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("d", "attribute")
        let separator = try found[0].map { try string($0) } ?? ""
        let cursor = try Jinja.Cursor(value, budget)
        var parts: [String] = []
        while let element = try cursor.next() {
            let part = try string(lookup(found[1], in: element))
            try budget.grow(part.utf8.count + separator.utf8.count)
            parts.append(part)
        }
        return .string(parts.joined(separator: separator))
    }

    private func json(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("ensure_ascii", "indent", "separators", "sort_keys")
        var style = Jinja.Printer.JSONStyle()
        style.ensureASCII = try found[0].map { try operators.isTrue($0) } ?? false
        style.sortKeys = try found[3].map { try operators.isTrue($0) } ?? false
        switch found[1] {
        case nil, Value.none?: break
        case let indent?:
            style.indent = try indent.text ?? spaces(integer(indent, call.name))
            style.itemSeparator = ","
        }
        switch found[2] {
        case nil, Value.none?: break
        case let separators?:
            let pair = try Jinja.Cursor(separators, budget).rest().compactMap(\.text)
            guard pair.count == 2 else { throw Failure("'tojson' needs two separators") }
            (style.itemSeparator, style.keySeparator) = (pair[0], pair[1])
        }
        return .string(try Jinja.Printer.json(value, style, budget))
    }

    // MARK: Single values

    private static let valueFilters: [String: Filter] = [
        "default": { run, value, call in try run.fallback(value, call) },
        "d": { run, value, call in try run.fallback(value, call) },
        "length": { run, value, call in .int(try run.length(value)) },
        "count": { run, value, call in .int(try run.length(value)) },
        "int": { run, value, call in try run.int(value, call) },
        "float": { run, value, call in
            let fallback = try call.bind("default")[0] ?? .float(0)
            return try run.double(value).map(Value.float) ?? fallback
        },
        "abs": { run, value, call in
            switch try run.operators.signed(value) {
            case .int(let number) where number < 0: return try run.operators.negated(.int(number))
            case .float(let number): return .float(abs(number))
            case let number: return number
            }
        },
        "round": { run, value, call in try run.round(value, call) },
        "attr": { run, value, call in
            guard let name = try call.bind("name", required: 1)[0]?.text else {
                throw Failure("'attr' needs a name")
            }
            if case .undefined = value { return .undefined("an undefined value has no '\(name)'") }
            if case .dict = value { return try run.attribute(name, of: .dict(.init())) }
            return try run.attribute(name, of: value)
        },
    ]

    private func fallback(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("default_value", "boolean")
        let isBoolean = try found[1].map { try operators.isTrue($0) } ?? false
        let isMissing = try value.isUndefined || (isBoolean && !operators.isTrue(value))
        return isMissing ? found[0] ?? .string("") : value
    }

    func length(_ value: Value) throws -> Int {
        switch value {
        case .undefined: return 0
        case .string(let text), .markup(let text):
            try budget.scan(text.utf8.count)
            return Text.length(text)
        case .list(let items), .tuple(let items): return items.elements.count
        case .dict(let mapping), .view(_, let mapping): return mapping.count
        case .range(let span): return span.count
        case .loop(let loop): return try loop.length()
        default: throw Failure("'\(value.typeName)' has no length")
        }
    }

    private func int(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("default", "base")
        let fallback = found[0] ?? .int(0)
        let base = try found[1].map { try integer($0, call.name) } ?? 10
        switch value {
        case .undefined(let reason): throw Failure(reason)
        case .bool, .int: return try operators.signed(value)
        case .string(let text), .markup(let text):
            guard (2...36).contains(base) else { throw Failure.unsupported("base \(base)") }
            if let number = try wholeNumber(text, base: base) { return .int(number) }
        default: break
        }
        guard let number = try double(value), number.isFinite else { return fallback }
        guard let whole = Int(exactly: number.rounded(.towardZero)) else { throw Jinja.Operators.tooLarge }
        return .int(whole)
    }

    /// Python's `int(text, base)`; nil when the text is no integer.
    private func wholeNumber(_ text: String, base: Int) throws -> Int? {
        var digits = Text.stripped(text).lowercased()
        let sign = digits.first == "-" ? "-" : ""
        if digits.first == "-" || digits.first == "+" { digits.removeFirst() }
        let prefixes = [2: "0b", 8: "0o", 16: "0x"]
        if let prefix = prefixes[base], digits.hasPrefix(prefix) { digits.removeFirst(2) }
        guard digits.first != "_", digits.last != "_", !digits.contains("__"),
            !digits.isEmpty,
            digits.allSatisfy({ $0 == "_" || ($0.isASCII && Int(String($0), radix: base) != nil) })
        else { return nil }
        guard let number = Int(sign + digits.filter { $0 != "_" }, radix: base) else {
            throw Jinja.Operators.tooLarge
        }
        return number
    }

    /// Python's `float(value)`; nil when it is no number.
    private func double(_ value: Value) throws -> Double? {
        if case .undefined(let reason) = value { throw Failure(reason) }
        if let number = Jinja.Operators.Number(value) { return number.double }
        guard let text = value.text.map({ Text.stripped($0).lowercased() }) else { return nil }
        let allowed = Set("0123456789+-.e_")
        let words: Set = ["inf", "infinity", "nan"]
        let isWord = words.contains(text.trimmingPrefix { $0 == "-" || $0 == "+" }.description)
        guard isWord || text.allSatisfy(allowed.contains) else { return nil }
        guard !text.contains("__"), !text.hasPrefix("_"), !text.hasSuffix("_") else { return nil }
        return Double(text.filter { $0 != "_" })
    }

    private func round(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("precision", "method")
        let precision = try found[0].map { try integer($0, call.name) } ?? 0
        let method = try found[1].map { try string($0) } ?? "common"
        guard (0...15).contains(precision) else { throw Failure.unsupported("this precision of 'round'") }
        guard ["common", "ceil", "floor"].contains(method) else {
            throw Failure("'round' knows common, ceil and floor, not '\(method)'")
        }
        let number = try operators.signed(value)
        if method == "common" {
            guard case .float(let double) = number else { return number }
            // printf rounds the exact value, ties to even, as Python does.
            return .float(Double(String(format: "%.\(precision)f", double)) ?? double)
        }
        guard let double = Jinja.Operators.Number(number)?.double, double.isFinite else {
            throw Failure("'round' needs a finite number")
        }
        let scale = pow(10, Double(precision))
        return .float((double * scale).rounded(method == "ceil" ? .up : .down) / scale)
    }
}
