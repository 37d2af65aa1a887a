extension Jinja.Interpreter {
    typealias Test = @Sendable (Jinja.Interpreter, Value, Call) throws -> Bool

    static func test(named name: String) -> Test? {
        tests[name] ?? comparisons[name]
    }

    /// Tests that take nothing beside the value.
    static let testsWithoutArgument: Set<String> = [
        "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string",
        "mapping", "sequence", "iterable", "callable", "escaped", "lower", "upper", "odd", "even", "filter",
        "test",
    ]

    private static let tests: [String: Test] = [
        "defined": { _, value, _ in !value.isUndefined },
        "undefined": { _, value, _ in value.isUndefined },
        "none": { _, value, _ in if case .none = value { true } else { false } },
        "boolean": { _, value, _ in if case .bool = value { true } else { false } },
        "true": { _, value, _ in if case .bool(true) = value { true } else { false } },
        "false": { _, value, _ in if case .bool(false) = value { true } else { false } },
        "integer": { _, value, _ in if case .int = value { true } else { false } },
        "float": { _, value, _ in if case .float = value { true } else { false } },
        "number": { _, value, _ in Jinja.Operators.Number(value) != nil },
        "string": { _, value, _ in value.text != nil },
        "mapping": { _, value, _ in if case .dict = value { true } else { false } },
        "sequence": { _, value, _ in
            switch value {
            case .undefined, .string, .markup, .list, .tuple, .dict, .range: true
            default: false
            }
        },
        "iterable": { _, value, _ in
            switch value {
            case .undefined, .string, .markup, .list, .tuple, .dict, .range, .view, .generator, .loop: true
            default: false
            }
        },
        "callable": { _, value, _ in
            switch value {
            case .undefined, .macro, .function, .method, .loop: true
            default: false
            }
        },
        "escaped": { _, value, _ in value.isMarkup },
        "lower": { run, value, _ in Jinja.Interpreter.holds("islower", try run.string(value)) },
        "upper": { run, value, _ in Jinja.Interpreter.holds("isupper", try run.string(value)) },
        "odd": { run, value, call in try run.remainder(value, .int(2), equals: 1) },
        "even": { run, value, call in try run.remainder(value, .int(2), equals: 0) },
        "divisibleby": { run, value, call in try run.remainder(value, operand(call), equals: 0) },
        "sameas": { run, value, call in try run.isSame(value, operand(call)) },
        "in": { run, value, call in try run.operators.contains(operand(call), value) },
        "filter": { _, value, _ in
            _ = try Jinja.Key(value)
            return value.text.map { filter(named: $0) != nil } ?? false
        },
        "test": { _, value, _ in
            _ = try Jinja.Key(value)
            return value.text.map { test(named: $0) != nil } ?? false
        },
    ]

    private static let comparisons: [String: Test] = {
        let signs = [
            "==": ["==", "eq", "equalto"], "!=": ["!=", "ne"], "<": ["<", "lt", "lessthan"],
            "<=": ["<=", "le"], ">": [">", "gt", "greaterthan"], ">=": [">=", "ge"],
        ]
        var found: [String: Test] = [:]
        for (sign, names) in signs {
            for name in names {
                found[name] = { run, value, call in try run.operators.compare(sign, value, operand(call)) }
            }
        }
        return found
    }()

    private static func operand(_ call: Call) throws -> Value {
        guard let value = try call.bind("other", required: 1)[0] else {
            throw Failure("the test '\(call.name)' needs a value")
        }
        return value
    }

    private func remainder(_ value: Value, _ divisor: Value, equals wanted: Int) throws -> Bool {
        try operators.isEqual(operators.binary("%", value, divisor), .int(wanted))
    }

    /// Python's `is`; defined only for values that exist once.
    private func isSame(_ a: Value, _ b: Value) throws -> Bool {
        switch (a, b) {
        case (.none, .none): true
        case (.bool(let left), .bool(let right)): left == right
        case (.namespace(let left), .namespace(let right)): left === right
        case (.none, _), (_, .none), (.bool, _), (_, .bool): false
        default: throw Failure.unsupported("the test 'sameas' of a \(a.typeName)")
        }
    }
}
