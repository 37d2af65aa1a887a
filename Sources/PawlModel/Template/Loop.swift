extension Jinja {
    /// Gives the elements of anything that Python can iterate.
    final class Cursor {
        private let body: () throws -> Value?

        init(_ body: @escaping () throws -> Value?) { self.body = body }

        /// Throws when the value cannot be iterated.
        convenience init(_ value: Value, _ budget: Budget) throws {
            let elements: [Value]
            switch value {
            case .generator(let generator):
                self.init {
                    try budget.step()
                    return try generator.next()
                }
                return
            case .range(let span):
                var index = 0
                self.init {
                    try budget.step()
                    defer { index += 1 }
                    return index < span.count ? .int(span[index]) : nil
                }
                return
            case .undefined: elements = []
            case .string(let text), .markup(let text):
                try budget.grow(16 * text.utf8.count)
                elements = text.unicodeScalars.map { .string(String($0)) }
            case .list(let items), .tuple(let items): elements = items.elements
            case .dict(let mapping): elements = mapping.keys
            case .view(let view, let mapping): elements = try mapping.elements(view)
            case .loop: throw Failure.unsupported("iterating over 'loop'")
            default: throw Failure("'\(value.typeName)' cannot be iterated")
            }
            var index = 0
            self.init {
                try budget.step()
                defer { index += 1 }
                return index < elements.count ? elements[index] : nil
            }
        }

        func next() throws -> Value? { try body() }

        /// All elements that are left.
        func rest() throws -> [Value] {
            var found: [Value] = []
            while let value = try next() { found.append(value) }
            return found
        }
    }

    /// What `loop` is inside a `for`.
    final class Loop {
        private var cursor: Cursor
        private var index0 = -1
        private var before: Value?
        private var current: Value?
        /// The next element, when it was looked at already; `.some(nil)` is the end.
        private var peeked: Value??
        private var knownLength: Int?
        private var lastChanged: [Value]?

        init(_ cursor: Cursor) {
            self.cursor = cursor
        }

        /// Goes on to the next element.
        func next() throws -> Value? {
            let value = try peek()
            peeked = nil
            guard let value else { return nil }
            index0 += 1
            before = current
            current = value
            return value
        }

        private func peek() throws -> Value? {
            if let peeked { return peeked }
            let value = try cursor.next()
            peeked = .some(value)
            return value
        }

        /// Number of elements in all; reads a generator to its end.
        func length() throws -> Int {
            if let knownLength { return knownLength }
            var ahead: [Value] = []
            if case .some(.some(let value)) = peeked { ahead.append(value) }
            if !(peeked != nil && ahead.isEmpty) { ahead += try cursor.rest() }
            var index = 0
            cursor = Cursor {
                defer { index += 1 }
                return index < ahead.count ? ahead[index] : nil
            }
            peeked = nil
            knownLength = index0 + 1 + ahead.count
            return index0 + 1 + ahead.count
        }

        /// An attribute; nil when a loop has none of that name.
        func attribute(_ name: String) throws -> Value? {
            switch name {
            case "index": .int(index0 + 1)
            case "index0": .int(index0)
            case "revindex": .int(try length() - index0)
            case "revindex0": .int(try length() - index0 - 1)
            case "first": .bool(index0 == 0)
            case "last": .bool(try peek() == nil)
            case "length": .int(try length())
            case "depth": .int(1)
            case "depth0": .int(0)
            case "previtem": index0 > 0 ? before : .undefined("there is no previous item")
            case "nextitem": try peek() ?? .undefined("there is no next item")
            case "cycle", "changed": .method(.loop(self), name)
            default: nil
            }
        }

        func call(_ name: String, _ values: [Value], _ operators: Operators) throws -> Value {
            if name == "cycle" {
                guard !values.isEmpty else { throw Failure("'loop.cycle' needs values") }
                return values[index0 % values.count]
            }
            var isSame = lastChanged?.count == values.count
            for (old, new) in zip(lastChanged ?? [], values) where isSame {
                isSame = try operators.isEqual(old, new)
            }
            lastChanged = values
            return .bool(!isSame)
        }
    }
}
