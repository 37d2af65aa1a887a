extension Jinja {
    /// The attributes that Python's types have, so that one that is not offered here is an error, not undefined.
    enum Methods {
        struct Names {
            var reading: Set<String> = []
            /// Those that the sandbox refuses since they change the value.
            var changing: Set<String> = []
        }

        private static let string = Names(reading: [
            "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format",
            "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier",
            "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower",
            "lstrip", "maketrans", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex",
            "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
            "swapcase", "title", "translate", "upper", "zfill",
        ])
        private static let list = Names(
            reading: ["copy", "count", "index"],
            changing: ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"])
        private static let dict = Names(
            reading: ["copy", "fromkeys", "get", "items", "keys", "values"],
            changing: ["clear", "pop", "popitem", "setdefault", "update"])
        private static let int: Set<String> = [
            "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag",
            "numerator", "real", "to_bytes",
        ]
        private static let float: Set<String> = [
            "as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real",
        ]

        static func names(_ value: Value) -> Names {
            switch value {
            case .string: string
            case .markup:
                Names(reading: string.reading.union(["striptags", "unescape", "escape"]))
            case .list: list
            case .tuple: Names(reading: ["count", "index"])
            case .dict: dict
            case .view: Names(reading: ["isdisjoint", "mapping"])
            case .range: Names(reading: ["count", "index", "start", "step", "stop"])
            case .int, .bool: Names(reading: int)
            case .float: Names(reading: float)
            case .macro: Names(reading: ["name", "arguments", "catch_kwargs", "catch_varargs", "caller"])
            default: Names()
            }
        }
    }
}

extension Jinja.Interpreter {
    func call(method name: String, of receiver: Value, _ call: Call) throws -> Value {
        switch receiver {
        case .string(let text), .markup(let text):
            try budget.scan(text.utf8.count)
            if let result = try textMethod(name, receiver, text, call) { return result }
            if let result = try searchMethod(name, receiver, text, call) { return result }
        case .dict(let mapping):
            if let result = try dictMethod(name, mapping, call) { return result }
        case .list(let items), .tuple(let items):
            if let result = try listMethod(name, items.elements, call) { return result }
        case .loop(let loop):
            return try loop.call(name, call.positional, operators)
        default: break
        }
        throw Failure.unsupported("the method '\(name)' of \(receiver.typeName)")
    }

    private func dictMethod(_ name: String, _ mapping: Jinja.Mapping, _ call: Call) throws -> Value? {
        switch name {
        case "get":
            let found = try call.bind("key", "default", required: 1)
            guard call.keywords.isEmpty, let key = found[0] else {
                throw Failure("'get' takes no keyword arguments")
            }
            return mapping[try Jinja.Key(key)] ?? found[1] ?? Value.none
        case "keys", "values", "items":
            _ = try call.bind()
            return Jinja.Mapping.View(rawValue: name).map { .view($0, mapping) }
        case "copy":
            _ = try call.bind()
            return .dict(mapping)
        default: return nil
        }
    }

    private func listMethod(_ name: String, _ elements: [Value], _ call: Call) throws -> Value? {
        switch name {
        case "count", "index":
            guard let wanted = try call.bind("value", required: 1)[0] else { return nil }
            let places = try elements.indices.filter { try operators.isEqual(elements[$0], wanted) }
            if name == "count" { return .int(places.count) }
            guard let first = places.first else { throw Failure("the value is not in the list") }
            return .int(first)
        case "copy":
            _ = try call.bind()
            return try .list(elements)
        default: return nil
        }
    }

    /// A text argument; nil when it is absent or none.
    private func text(_ value: Value?, _ name: String) throws -> String? {
        switch value {
        case nil, Value.none?: return nil
        case let value?:
            guard let text = value.text else {
                throw Failure("'\(name)' needs a string, not \(value.typeName)")
            }
            return text
        }
    }

    private func int(_ value: Value?, _ name: String, _ fallback: Int) throws -> Int {
        switch value {
        case nil: return fallback
        case .int(let number)?: return number
        case .bool(let flag)?: return flag ? 1 : 0
        case let value?: throw Failure("'\(name)' needs an integer, not \(value.typeName)")
        }
    }

    /// Methods of strings that give a string, or split one.
    private func textMethod(_ name: String, _ receiver: Value, _ text: String, _ call: Call) throws -> Value?
    {
        typealias Text = Jinja.PythonText
        switch name {
        case "strip", "lstrip", "rstrip":
            let set = try self.text(call.bind("chars")[0], name)
            return receiver.sameKind(
                Text.stripped(text, set, left: name != "rstrip", right: name != "lstrip"))
        case "lower", "upper", "title", "capitalize":
            _ = try call.bind()
            try budget.grow(text.utf8.count)
            switch name {
            case "lower": return receiver.sameKind(Text.lower(text))
            case "upper": return receiver.sameKind(Text.upper(text))
            case "title": return receiver.sameKind(Text.titled(text))
            default: return receiver.sameKind(Text.capitalized(text))
            }
        case "split", "rsplit": return try split(name, receiver, text, call)
        case "splitlines":
            let keeps = try call.bind("keepends")[0].map { try operators.isTrue($0) } ?? false
            try budget.grow(16 * text.utf8.count)
            return try .list(Text.lines(text, keepEnds: keeps).map(receiver.sameKind))
        case "replace":
            let found = try call.bind("old", "new", "count", required: 2)
            guard let old = try self.text(found[0], name), let new = try self.text(found[1], name) else {
                throw Failure("'replace' needs strings")
            }
            let isEscaping = receiver.isMarkup && found[1]?.isMarkup == false
            return receiver.sameKind(
                try replaced(text, old, isEscaping ? Text.escaped(new) : new, int(found[2], name, -1)))
        case "removeprefix", "removesuffix": return try removed(name, receiver, text, call)
        case "join":
            guard let parts = try call.bind("iterable", required: 1)[0] else { return nil }
            return try joined(receiver, text, parts)
        default: return nil
        }
    }

    private func split(_ name: String, _ receiver: Value, _ text: String, _ call: Call) throws -> Value {
        let found = try call.bind("sep", "maxsplit")
        let limit = try int(found[1], name, -1)
        try budget.grow(16 * text.utf8.count)
        guard let separator = try self.text(found[0], name) else {
            let words = Text.splitWords(text, limit: limit, fromEnd: name == "rsplit")
            return try .list(words.map(receiver.sameKind))
        }
        guard !separator.isEmpty else { throw Failure("'\(name)' needs a separator that is not empty") }
        let parts = Text.split(text, by: separator, limit: limit, fromEnd: name == "rsplit")
        return try .list(parts.map(receiver.sameKind))
    }

    private func removed(_ name: String, _ receiver: Value, _ text: String, _ call: Call) throws -> Value {
        guard let part = try self.text(call.bind("part", required: 1)[0], name) else {
            throw Failure("'\(name)' needs a string")
        }
        let bytes = Array(text.utf8)
        if name == "removeprefix" {
            guard bytes.starts(with: part.utf8) else { return receiver }
            return receiver.sameKind(String(decoding: bytes.dropFirst(part.utf8.count), as: UTF8.self))
        }
        guard bytes.reversed().starts(with: part.utf8.reversed()) else { return receiver }
        return receiver.sameKind(String(decoding: bytes.dropLast(part.utf8.count), as: UTF8.self))
    }

    private func joined(_ receiver: Value, _ separator: String, _ parts: Value) throws -> Value {
        let values = try Jinja.Cursor(parts, budget).rest()
        let texts = try values.map { value -> String in
            guard let text = value.text else {
                throw Failure("'join' needs strings, not \(value.typeName)")
            }
            return receiver.isMarkup && !value.isMarkup ? Jinja.PythonText.escaped(text) : text
        }
        try budget.grow(texts.reduce(0) { $0 + $1.utf8.count + separator.utf8.count })
        return receiver.sameKind(texts.joined(separator: separator))
    }

    /// `str.replace` within the limits.
    func replaced(_ text: String, _ old: String, _ new: String, _ limit: Int) throws -> String {
        let hits = old.isEmpty ? text.utf8.count + 1 : Jinja.PythonText.places(of: old, in: text).count
        let (growth, overflow) = hits.multipliedReportingOverflow(by: new.utf8.count)
        try budget.grow(overflow ? .max : text.utf8.count + growth)
        return Jinja.PythonText.replaced(text, old, by: new, limit: limit)
    }

    /// Methods of strings that look for something.
    private func searchMethod(_ name: String, _ receiver: Value, _ text: String, _ call: Call) throws
        -> Value?
    {
        typealias Text = Jinja.PythonText
        switch name {
        case "startswith", "endswith":
            guard let wanted = try call.bind("part", required: 1)[0] else { return nil }
            var candidates = [wanted]
            if case .tuple(let items) = wanted { candidates = items.elements }
            let isFound = try candidates.contains { candidate in
                guard let part = candidate.text else {
                    throw Failure("'\(name)' needs a string, not \(candidate.typeName)")
                }
                return name == "startswith"
                    ? text.utf8.starts(with: part.utf8)
                    : text.utf8.reversed().starts(with: part.utf8.reversed())
            }
            return .bool(isFound)
        case "find", "rfind", "index", "count":
            guard let part = try self.text(call.bind("part", required: 1)[0], name) else {
                throw Failure("'\(name)' needs a string")
            }
            guard !part.isEmpty else { throw Failure.unsupported("'\(name)' of an empty string") }
            let places = Text.places(of: part, in: text)
            if name == "count" { return .int(places.count) }
            guard let place = name == "rfind" ? lastPlace(of: part, in: text) : places.first else {
                if name == "index" { throw Failure("'index' did not find the string") }
                return .int(-1)
            }
            return .int(Text.length(String(decoding: text.utf8.prefix(place), as: UTF8.self)))
        case "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower":
            _ = try call.bind()
            return .bool(Self.holds(name, text))
        default: return nil
        }
    }

    private func lastPlace(of part: String, in text: String) -> Int? {
        let bytes = Array(text.utf8)
        let reversed = Array(bytes.reversed())
        let needle = Array(part.utf8.reversed())
        let hit = reversed.indices.first { reversed[$0...].starts(with: needle) }
        return hit.map { bytes.count - $0 - needle.count }
    }

    static func holds(_ property: String, _ text: String) -> Bool {
        let scalars = text.unicodeScalars
        guard !scalars.isEmpty else { return false }
        switch property {
        case "isdigit":
            return scalars.allSatisfy {
                $0.properties.numericType == .decimal || $0.properties.numericType == .digit
            }
        case "isalpha", "isalnum":
            return scalars.allSatisfy { scalar in
                switch scalar.properties.generalCategory {
                case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
                    true
                default: property == "isalnum" && scalar.properties.numericType != nil
                }
            }
        case "isspace": return scalars.allSatisfy(Jinja.PythonText.isSpace)
        default:
            let wanted = property == "isupper"
            let cased = scalars.filter(\.properties.isCased)
            return !cased.isEmpty
                && cased.allSatisfy { wanted ? $0.properties.isUppercase : $0.properties.isLowercase }
        }
    }
}
