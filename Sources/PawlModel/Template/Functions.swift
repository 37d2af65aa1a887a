internal import Foundation

extension Jinja.Interpreter {
    typealias Function = @Sendable (Jinja.Interpreter, Call) throws -> Value

    /// What every template can call.
    static let functions: [String: Function] = [
        "raise_exception": { run, call in
            let message = try run.string(call.bind("message", required: 1)[0] ?? .none)
            throw Failure(message)
        },
        "strftime_now": { run, call in try run.formattedTime(call) },
        "range": { run, call in try run.range(call) },
        "namespace": { run, call in
            let namespace = Jinja.Namespace()
            let members = try run.dict(call)
            for (key, value) in zip(members.keys, members.values) { try namespace.set(key, value) }
            return try run.register(namespace)
        },
        "dict": { run, call in .dict(try run.dict(call)) },
        "cycler": { _, _ in throw Failure.unsupported("the function 'cycler'") },
        "joiner": { _, _ in throw Failure.unsupported("the function 'joiner'") },
        "lipsum": { _, _ in throw Failure.unsupported("the function 'lipsum'") },
    ]

    /// Python's `dict(...)`: a dict or pairs, then keywords.
    private func dict(_ call: Call) throws -> Jinja.Mapping {
        guard call.positional.count <= 1 else { throw Failure("'\(call.name)' takes at most 1 value") }
        var mapping = Jinja.Mapping()
        switch call.positional.first {
        case nil: break
        case .dict(let other)?: mapping = other
        case let pairs?:
            let cursor = try Jinja.Cursor(pairs, budget)
            while let pair = try cursor.next() {
                let parts = try Jinja.Cursor(pair, budget).rest()
                guard parts.count == 2 else { throw Failure("'\(call.name)' needs pairs") }
                try mapping.set(parts[0], parts[1])
            }
        }
        for keyword in call.keywords { try mapping.set(.string(keyword.name), keyword.value) }
        try budget.grow(32 * mapping.count)
        return mapping
    }

    /// Python's `range`, of at most 100,000 numbers as in jinja2's sandbox.
    private func range(_ call: Call) throws -> Value {
        guard call.keywords.isEmpty, (1...3).contains(call.positional.count) else {
            throw Failure("'range' takes 1 to 3 integers")
        }
        let numbers = try call.positional.map { value in
            switch value {
            case .int(let number): number
            case .bool(let flag): flag ? 1 : 0
            case .undefined(let reason): throw Failure(reason)
            default: throw Failure("'range' needs integers, not \(value.typeName)")
            }
        }
        let start = numbers.count > 1 ? numbers[0] : 0
        let stop = numbers.count > 1 ? numbers[1] : numbers[0]
        let step = numbers.count > 2 ? numbers[2] : 1
        guard step != 0 else { throw Failure("the step of 'range' cannot be 0") }
        let (width, overflow) = stop.subtractingReportingOverflow(start)
        let isEmpty = step > 0 ? stop <= start : stop >= start
        if isEmpty { return .range(.init(start: start, step: step, count: 0, stop: stop)) }
        let count = overflow ? UInt.max : (width.magnitude - 1) / step.magnitude + 1
        guard count <= 100_000 else { throw Failure("a range of more than 100000 numbers") }
        return .range(.init(start: start, step: step, count: Int(count), stop: stop))
    }

    /// `strftime_now(format)`: the present in the local time zone.
    private func formattedTime(_ call: Call) throws -> Value {
        guard let format = try call.bind("format", required: 1)[0]?.text else {
            throw Failure("'strftime_now' needs a format")
        }
        guard !format.isEmpty else { return .string("") }
        try budget.grow(format.utf8.count * 64)
        var seconds = time_t(now.timeIntervalSince1970.rounded(.down))
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { throw Failure("the time cannot be told") }
        var buffer = [CChar](repeating: 0, count: format.utf8.count * 64)
        let count = strftime(&buffer, buffer.count, format, &parts)
        return .string(String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
}
