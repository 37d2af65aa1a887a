extension Jinja.Operators {
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
            return value.sameKind(
                Jinja.PythonText.text(try indices(numbers, scalars.count).map { scalars[$0] }))
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
}
