extension Jinja {
    /// Values as text: Python's `str` and `repr`, and JSON as Python writes it.
    struct Printer {
        private let budget: Budget
        private var out = ""
        private var level = 0

        private init(_ budget: Budget) { self.budget = budget }

        /// `str(value)`.
        static func string(_ value: Value, _ budget: Budget) throws -> String {
            switch value {
            case .string(let text), .markup(let text): return text
            case .undefined: return ""
            default: return try representation(value, budget)
            }
        }

        /// `repr(value)`.
        static func representation(_ value: Value, _ budget: Budget) throws -> String {
            var printer = Printer(budget)
            try printer.represent(value)
            return printer.out
        }

        private mutating func write(_ text: String) throws {
            try budget.grow(text.utf8.count)
            out += text
        }

        private mutating func nested(_ body: (inout Printer) throws -> Void) throws {
            level += 1
            defer { level -= 1 }
            guard level <= Limits.nesting else {
                throw Failure("a value nested deeper than \(Limits.nesting) levels cannot be printed")
            }
            try body(&self)
        }

        private mutating func represent(_ value: Value) throws {
            switch value {
            case .undefined: try write("Undefined")
            case .none: try write("None")
            case .bool(let flag): try write(flag ? "True" : "False")
            case .int(let number): try write("\(number)")
            case .float(let number): try write(PythonText.representation(number))
            case .string(let text): try write(Self.quoted(text))
            case .markup(let text): try write("Markup(\(Self.quoted(text)))")
            case .list(let items): try sequence("[", items.elements, "]")
            case .tuple(let items):
                try sequence("(", items.elements, items.elements.count == 1 ? ",)" : ")")
            case .dict(let mapping): try represent(mapping)
            case .view(let view, let mapping):
                try sequence("dict_\(view.rawValue)([", mapping.elements(view), "])")
            case .range(let span):
                let step = span.step == 1 ? "" : ", \(span.step)"
                try write("range(\(span.start), \(span.stop)\(step))")
            case .namespace(let namespace):
                try write("<Namespace ")
                try nested { try $0.represent(namespace.members) }
                try write(">")
            case .generator, .loop, .macro, .function, .method:
                throw Failure.unsupported("printing a \(value.typeName)")
            }
        }

        private mutating func sequence(_ open: String, _ elements: [Value], _ close: String) throws {
            try write(open)
            for (index, element) in elements.enumerated() {
                if index > 0 { try write(", ") }
                try nested { try $0.represent(element) }
            }
            try write(close)
        }

        private mutating func represent(_ mapping: Mapping) throws {
            try write("{")
            for index in mapping.keys.indices {
                if index > 0 { try write(", ") }
                try nested { try $0.represent(mapping.keys[index]) }
                try write(": ")
                try nested { try $0.represent(mapping.values[index]) }
            }
            try write("}")
        }

        private static func quoted(_ text: String) -> String {
            let scalars = text.unicodeScalars
            let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
            var out = String(quote)
            for scalar in scalars {
                switch scalar {
                case "\n": out += "\\n"
                case "\r": out += "\\r"
                case "\t": out += "\\t"
                case "\\", quote: out += "\\\(scalar)"
                case _ where PythonText.isPrintable(scalar): out.unicodeScalars.append(scalar)
                default: out += "\\" + PythonText.codePoint(scalar, "x")
                }
            }
            return out + String(quote)
        }
    }
}

extension Jinja.Printer {
    /// How `tojson` writes.
    struct JSONStyle {
        var ensureASCII = false
        /// What a level is indented by; nil for one line.
        var indent: String?
        var itemSeparator = ", "
        var keySeparator = ": "
        var sortKeys = false
    }

    /// `json.dumps(value)`.
    static func json(_ value: Jinja.Value, _ style: JSONStyle, _ budget: Jinja.Budget) throws -> String {
        var printer = Jinja.Printer(budget)
        try printer.json(value, style)
        return printer.out
    }

    private mutating func json(_ value: Jinja.Value, _ style: JSONStyle) throws {
        switch value {
        case .none: try write("null")
        case .bool(let flag): try write(flag ? "true" : "false")
        case .int(let number): try write("\(number)")
        case .float(let number): try write(Self.json(number))
        case .string(let text), .markup(let text): try write(Self.json(text, style))
        case .list(let items), .tuple(let items):
            try members(items.elements.count, "[", "]", style) { printer, index in
                try printer.json(items.elements[index], style)
            }
        case .dict(let mapping):
            let order = try style.sortKeys ? sortedIndices(mapping) : Array(mapping.keys.indices)
            try members(order.count, "{", "}", style) { printer, index in
                let key = try Self.jsonKey(mapping.keys[order[index]])
                try printer.write(Self.json(key, style) + style.keySeparator)
                try printer.json(mapping.values[order[index]], style)
            }
        default: throw Jinja.Failure("a value of type \(value.typeName) cannot be written as JSON")
        }
    }

    private func sortedIndices(_ mapping: Jinja.Mapping) throws -> [Int] {
        let operators = Jinja.Operators(budget)
        return try mapping.keys.indices.sorted { try operators.isLess(mapping.keys[$0], mapping.keys[$1]) }
    }

    private mutating func members(
        _ count: Int, _ open: String, _ close: String, _ style: JSONStyle,
        _ member: (inout Jinja.Printer, Int) throws -> Void
    ) throws {
        try write(open)
        try nested { printer in
            for index in 0..<count {
                if index > 0 { try printer.write(style.itemSeparator) }
                try printer.lineBreak(style)
                try member(&printer, index)
            }
        }
        if count > 0 { try lineBreak(style) }
        try write(close)
    }

    private mutating func lineBreak(_ style: JSONStyle) throws {
        guard let indent = style.indent else { return }
        try budget.grow(indent.utf8.count * level)
        try write("\n" + String(repeating: indent, count: level))
    }

    private static func json(_ number: Double) -> String {
        guard number.isFinite else { return number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity" }
        return Jinja.PythonText.representation(number)
    }

    private static func jsonKey(_ key: Jinja.Value) throws -> String {
        switch key {
        case .string(let text), .markup(let text): text
        case .none: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): "\(number)"
        case .float(let number): json(number)
        default: throw Jinja.Failure("a key of type \(key.typeName) cannot be written as JSON")
        }
    }

    private static func json(_ text: String, _ style: JSONStyle) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\\(scalar)"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{8}": out += "\\b"
            case "\u{C}": out += "\\f"
            case _ where scalar.value < 0x20 || (style.ensureASCII && scalar.value > 0x7E):
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
