extension Jinja.Interpreter {
    static let sequenceFilters: [String: Filter] = [
        "list": { run, value, call in try .list(run.elements(value)) },
        "first": { run, value, call in
            try Jinja.Cursor(value, run.budget).next() ?? .undefined("there is no first item")
        },
        "last": { run, value, call in
            try run.reversed(value).first ?? .undefined("there is no last item")
        },
        "reverse": { run, value, call in try run.reverse(value) },
        "items": { run, value, call in
            switch value {
            case .undefined: return try run.generator([]) { [] }
            case .dict(let mapping): return try run.generator([value]) { try mapping.elements(.items) }
            default: throw Failure("'items' needs a dict, not \(value.typeName)")
            }
        },
        "dictsort": { run, value, call in try run.dictSort(value, call) },
        "sort": { run, value, call in try run.sort(value, call) },
        "unique": { run, value, call in try run.unique(value, call) },
        "min": { run, value, call in try run.extreme(value, call) { try run.operators.isLess($0, $1) } },
        "max": { run, value, call in try run.extreme(value, call) { try run.operators.isLess($1, $0) } },
        "sum": { run, value, call in
            let found = try call.bind("attribute", "start")
            return try run.elements(value).reduce(found[1] ?? .int(0)) {
                try run.operators.binary("+", $0, run.lookup(found[0], in: $1))
            }
        },
        "map": { run, value, call in try run.map(value, call) },
        "select": { run, value, call in try run.select(value, call, keeps: true, byAttribute: false) },
        "reject": { run, value, call in try run.select(value, call, keeps: false, byAttribute: false) },
        "selectattr": { run, value, call in try run.select(value, call, keeps: true, byAttribute: true) },
        "rejectattr": { run, value, call in try run.select(value, call, keeps: false, byAttribute: true) },
    ]

    private func elements(_ value: Value) throws -> [Value] {
        let elements = try Jinja.Cursor(value, budget).rest()
        try budget.grow(16 * elements.count)
        return elements
    }

    /// A generator whose elements are made when the first is asked for.
    private func generator(_ sources: [Value], _ body: @escaping () throws -> [Value]) throws -> Value {
        var elements: [Value]?
        var index = 0
        return .generator(
            try Jinja.Generator(over: sources) {
                let all = try elements ?? body()
                elements = all
                defer { index += 1 }
                return index < all.count ? all[index] : nil
            })
    }

    // MARK: Attributes of elements

    /// What a filter's argument `attribute` names in an element: a path with dots, whose digits are indices.
    func lookup(_ path: Value?, in element: Value) throws -> Value {
        switch path {
        case nil, Value.none?: return element
        case let path?:
            guard let text = path.text else { return try item(path, of: element) }
            var value = element
            for part in Text.split(text, by: ".", limit: -1) {
                let key = Self.holds("isdigit", part) ? Int(part).map(Value.int) : nil
                value = try item(key ?? .string(part), of: value)
            }
            return value
        }
    }

    /// What is compared instead of an element: its attribute, in lower case where that is asked for.
    private func sortKey(_ element: Value, _ attribute: Value?, _ isCaseSensitive: Value?) throws -> Value {
        let key = try lookup(attribute, in: element)
        guard try !operators.isTrue(isCaseSensitive ?? .bool(false)), let text = key.text else { return key }
        try budget.scan(text.utf8.count)
        return .string(Text.lower(text))
    }

    // MARK: Order

    private func reversed(_ value: Value) throws -> [Value] {
        switch value {
        case .generator, .loop: throw Failure("'\(value.typeName)' cannot be read from its end")
        case .markup(let text):
            return try elements(.string(text)).reversed().map { value.sameKind($0.text ?? "") }
        default: return try elements(value).reversed()
        }
    }

    private func reverse(_ value: Value) throws -> Value {
        if let text = value.text {
            try budget.grow(text.utf8.count)
            return value.sameKind(Text.text(text.unicodeScalars.reversed()))
        }
        if case .generator = value { return try .list(elements(value).reversed()) }
        let elements = try elements(value)
        return try generator([value]) { elements.reversed() }
    }

    /// Stable, also when reversed.
    private func sorted(
        _ elements: [Value], keys: [Value], isReversed: Bool, _ isLess: (Value, Value) throws -> Bool
    )
        throws -> [Value]
    {
        let order = try elements.indices.sorted { a, b in
            let (first, second) = isReversed ? (keys[b], keys[a]) : (keys[a], keys[b])
            if try isLess(first, second) { return true }
            return try a < b && !isLess(second, first)
        }
        return order.map { elements[$0] }
    }

    private func dictSort(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("case_sensitive", "by", "reverse")
        if case .undefined(let reason) = value { throw Failure(reason) }
        guard case .dict(let mapping) = value else {
            throw Failure("'dictsort' needs a dict, not \(value.typeName)")
        }
        let by = found[1]?.text ?? "key"
        guard by == "key" || by == "value" else {
            throw Failure("'dictsort' sorts by key or value, not '\(by)'")
        }
        let keys = try (by == "key" ? mapping.keys : mapping.values).map { try sortKey($0, nil, found[0]) }
        let isReversed = try operators.isTrue(found[2] ?? .bool(false))
        return try .list(
            sorted(mapping.elements(.items), keys: keys, isReversed: isReversed) {
                try operators.isLess($0, $1)
            })
    }

    private func sort(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("reverse", "case_sensitive", "attribute")
        let paths = found[2]?.text.map { Text.split($0, by: ",", limit: -1).map(Value.string) }
        let elements = try elements(value)
        let keys = try elements.map { element in
            try Value.list(
                (paths.map { $0.map(Optional.some) } ?? [found[2]]).map { try sortKey(element, $0, found[1]) }
            )
        }
        let isReversed = try operators.isTrue(found[0] ?? .bool(false))
        return try .list(
            sorted(elements, keys: keys, isReversed: isReversed) { try operators.isLess($0, $1) })
    }

    private func unique(_ value: Value, _ call: Call) throws -> Value {
        let found = try call.bind("case_sensitive", "attribute")
        let cursor = try Jinja.Cursor(value, budget)
        var seen: Set<Jinja.Key> = []
        return .generator(
            try Jinja.Generator(over: [value]) { [unowned self] in
                while let element = try cursor.next() {
                    let key = try sortKey(element, found[1], found[0])
                    try budget.grow(16 + (key.text?.utf8.count ?? 0))
                    if seen.insert(try Jinja.Key(key)).inserted { return element }
                }
                return nil
            })
    }

    private func extreme(_ value: Value, _ call: Call, _ isBetter: (Value, Value) throws -> Bool) throws
        -> Value
    {
        let found = try call.bind("case_sensitive", "attribute")
        var best: (element: Value, key: Value)?
        for element in try elements(value) {
            let key = try sortKey(element, found[1], found[0])
            if let current = best, try !isBetter(key, current.key) { continue }
            best = (element, key)
        }
        return best?.element ?? .undefined("there is no item to choose from")
    }

    // MARK: Element by element

    private func map(_ value: Value, _ call: Call) throws -> Value {
        guard try operators.isTrue(value) else { return try generator([]) { [] } }
        let function: (Value) throws -> Value
        if call.positional.isEmpty, let path = call.keywords.first(where: { $0.name == "attribute" })?.value {
            let fallback = call.keywords.first { $0.name == "default" }?.value
            if let other = call.keywords.first(where: { !["attribute", "default"].contains($0.name) }) {
                throw Failure("'map' takes no argument '\(other.name)' beside 'attribute'")
            }
            function = { [unowned self] element in
                let found = try lookup(path, in: element)
                if case .none? = fallback { return found }
                return found.isUndefined ? fallback ?? found : found
            }
        } else {
            guard let name = call.positional.first?.text else { throw Failure("'map' needs a filter's name") }
            let inner = Call(
                name: name, positional: Array(call.positional.dropFirst()), keywords: call.keywords)
            function = { [unowned self] in try apply(filter: name, $0, inner) }
        }
        let cursor = try Jinja.Cursor(value, budget)
        return .generator(
            try Jinja.Generator(over: [value] + call.positional + call.keywords.map(\.value)) {
                try cursor.next().map(function)
            })
    }

    private func select(_ value: Value, _ call: Call, keeps: Bool, byAttribute: Bool) throws -> Value {
        guard try operators.isTrue(value) else { return try generator([]) { [] } }
        var arguments = call.positional[...]
        var path: Value?
        if byAttribute {
            guard let first = arguments.popFirst() else { throw Failure("'\(call.name)' needs an attribute") }
            path = first
        }
        let test = arguments.popFirst()
        if let test, test.text == nil { throw Failure("'\(call.name)' needs a test's name") }
        let inner = Call(name: test?.text ?? "", positional: Array(arguments), keywords: call.keywords)
        let cursor = try Jinja.Cursor(value, budget)
        return .generator(
            try Jinja.Generator(over: [value] + call.positional + call.keywords.map(\.value)) {
                [unowned self] in
                while let element = try cursor.next() {
                    let subject = try lookup(path, in: element)
                    let isKept =
                        try inner.name.isEmpty
                        ? operators.isTrue(subject) : apply(test: inner.name, subject, inner)
                    if isKept == keeps { return element }
                }
                return nil
            })
    }
}
