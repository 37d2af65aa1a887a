extension Jinja {
    /// A value with Python's meaning. Lists and dicts are immutable, as transformers' sandbox makes them.
    enum Value {
        /// Why there is no value; printing it gives nothing, using it is an error.
        case undefined(String)
        case none
        case bool(Bool)
        case int(Int)
        case float(Double)
        case string(String)
        /// Text from the filters `safe` and `escape`: joined to a plain string, that one is escaped.
        case markup(String)
        case list(Items)
        case tuple(Items)
        case dict(Mapping)
        case view(Mapping.View, Mapping)
        case range(Span)
        case generator(Generator)
        case namespace(Namespace)
        case loop(Loop)
        case macro(Macro)
        /// A function that every template knows, by its name.
        case function(String)
        indirect case method(Value, String)

        /// The text, if it is a string of either kind.
        var text: String? {
            switch self {
            case .string(let text), .markup(let text): text
            default: nil
            }
        }

        var isUndefined: Bool { if case .undefined = self { true } else { false } }
        var isMarkup: Bool { if case .markup = self { true } else { false } }

        /// A string of the same kind as this value.
        func sameKind(_ text: String) -> Value { isMarkup ? .markup(text) : .string(text) }

        /// Levels of containers; what bounds every recursion over values.
        var depth: Int {
            switch self {
            case .list(let items), .tuple(let items): items.depth
            case .dict(let mapping), .view(_, let mapping): mapping.depth
            case .generator(let generator): generator.depth
            case .namespace(let namespace): namespace.depth
            // A loop that outlived its passes could hold the one before it, and so on: no container takes it.
            case .loop: Limits.nesting
            case .method(let receiver, _): receiver.depth + 1
            default: 0
            }
        }

        /// Python's name of the type, for messages.
        var typeName: String {
            switch self {
            case .undefined: "Undefined"
            case .none: "None"
            case .bool: "bool"
            case .int: "int"
            case .float: "float"
            case .string: "str"
            case .markup: "Markup"
            case .list: "list"
            case .tuple: "tuple"
            case .dict: "dict"
            case .view(let view, _): "dict_\(view.rawValue)"
            case .range: "range"
            case .generator: "generator"
            case .namespace: "Namespace"
            case .loop: "LoopContext"
            case .macro: "Macro"
            case .function: "function"
            case .method: "method"
            }
        }

        static func list(_ elements: [Value]) throws -> Value { .list(try Items(elements)) }
        static func tuple(_ elements: [Value]) throws -> Value { .tuple(try Items(elements)) }
    }

    /// The elements of a list or tuple.
    struct Items {
        let elements: [Value]
        let depth: Int

        init(_ elements: [Value]) throws {
            self.elements = elements
            depth = try Self.depth(elements)
        }

        /// One more than the deepest element, within the limit.
        static func depth(_ elements: some Sequence<Value>) throws -> Int {
            let depth = 1 + (elements.lazy.map(\.depth).max() ?? 0)
            guard depth <= Limits.nesting else {
                throw Failure("the template nests values deeper than \(Limits.nesting) levels")
            }
            return depth
        }
    }

    /// What Python hashes a dict's key by: equal numbers of different types are one key.
    enum Key: Hashable {
        case none, undefined
        case int(Int)
        case float(Double)
        /// Bytes, since Swift's strings are equal when they only look alike.
        case text([UInt8])
        case tuple([Key])

        init(_ value: Value) throws {
            var parts = 1000
            try self.init(value, &parts)
        }

        /// `parts` bounds the size, since a tuple can hold the same tuple many times over.
        private init(_ value: Value, _ parts: inout Int) throws {
            parts -= 1
            guard parts > 0 else { throw Failure("a tuple with more than 1000 parts cannot be a key") }
            switch value {
            case .none: self = .none
            case .bool(let flag): self = .int(flag ? 1 : 0)
            case .int(let number): self = .int(number)
            case .float(let number): self = Int(exactly: number).map(Key.int) ?? .float(number)
            case .string(let text), .markup(let text): self = .text(Array(text.utf8))
            case .tuple(let items):
                var keys: [Key] = []
                for element in items.elements { keys.append(try Key(element, &parts)) }
                self = .tuple(keys)
            case .undefined: self = .undefined
            default: throw Failure("unhashable type: '\(value.typeName)'")
            }
        }
    }

    /// A dict: keys in the order in which they came.
    struct Mapping {
        /// What `keys()`, `values()` and `items()` give.
        enum View: String { case keys, values, items }

        private(set) var keys: [Value] = []
        private(set) var values: [Value] = []
        private(set) var depth = 1
        private var places: [Key: Int] = [:]

        var count: Int { keys.count }

        subscript(key: Key) -> Value? { places[key].map { values[$0] } }
        subscript(name: String) -> Value? { self[.text(Array(name.utf8))] }

        mutating func set(_ key: Value, _ value: Value) throws {
            let place = try Key(key)
            depth = max(depth, try Items.depth([key, value]))
            if let index = places[place] {
                values[index] = value
            } else {
                places[place] = keys.count
                keys.append(key)
                values.append(value)
            }
        }

        func elements(_ view: View) throws -> [Value] {
            switch view {
            case .keys: keys
            case .values: values
            case .items: try zip(keys, values).map { try Value.tuple([$0, $1]) }
            }
        }
    }

    /// A `range`.
    struct Span {
        let start: Int
        let step: Int
        let count: Int

        subscript(index: Int) -> Int { start + index * step }
        /// The bound that is no longer part of it, as Python prints it.
        let stop: Int
    }

    /// Something that gives its elements once, such as the result of the filter `map`.
    final class Generator {
        let depth: Int
        private let body: () throws -> Value?
        private var isDone = false

        init(over sources: [Value], _ body: @escaping () throws -> Value?) throws {
            depth = try Items.depth(sources)
            self.body = body
        }

        func next() throws -> Value? {
            guard !isDone else { return nil }
            let value = try body()
            isDone = value == nil
            return value
        }
    }

    /// The one kind of value that a template can change.
    final class Namespace {
        private(set) var members = Mapping()
        // Stored apart: a value that holds this namespace asks for it while the members are being changed.
        private(set) var depth = 1

        func set(_ name: Value, _ value: Value) throws {
            if let text = name.text, text.utf8.first == UInt8(ascii: "_") {
                throw Failure("a namespace cannot hold '\(text)': the name starts with an underscore")
            }
            try members.set(name, value)
            depth = members.depth
        }

        func clear() { members = Mapping() }
    }

    /// Variables of a block; what is not found is looked up further out.
    final class Scope {
        private let parent: Scope?
        private var variables: [String: Value] = [:]

        init(_ parent: Scope? = nil) { self.parent = parent }

        func lookup(_ name: String) -> Value? {
            var scope: Scope? = self
            while let here = scope {
                if let value = here.variables[name] { return value }
                scope = here.parent
            }
            return nil
        }

        func set(_ name: String, _ value: Value) { variables[name] = value }
        func clear() { variables = [:] }
    }

    /// A macro and the scope in which it was defined.
    final class Macro {
        let syntax: MacroSyntax
        let scope: Scope

        init(_ syntax: MacroSyntax, _ scope: Scope) {
            self.syntax = syntax
            self.scope = scope
        }
    }
}
