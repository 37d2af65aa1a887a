internal import Synchronization

/// Results that several threads put in their places.
final class Collected<Value: Sendable>: Sendable {
    private let values: Mutex<[Value?]>

    init(_ count: Int) { values = Mutex([Value?](repeating: nil, count: count)) }

    subscript(index: Int) -> Value? {
        get { values.withLock { $0[index] } }
        set { values.withLock { $0[index] = newValue } }
    }

    /// What is there, in order; places that nobody filled are left out.
    var all: [Value] { values.withLock { $0.compactMap { $0 } } }
}
