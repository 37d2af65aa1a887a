internal import Synchronization

/// Counts what is being answered, and refuses more than the limits allow.
final class Admission: Sendable {
    /// What takes up a place.
    enum Kind: Int, CaseIterable, Sendable { case answer, model, stream }

    private let limits: [Int]
    private let counts: Mutex<[Int]>

    init(_ limits: ServerLimits) {
        self.limits = [limits.answers, limits.modelAnswers, limits.streams]
        counts = Mutex(Kind.allCases.map { _ in 0 })
    }

    /// Takes a place; false where all are taken.
    func enter(_ kind: Kind) -> Bool {
        counts.withLock { counts in
            guard counts[kind.rawValue] < limits[kind.rawValue] else { return false }
            counts[kind.rawValue] += 1
            return true
        }
    }

    /// Gives a place back.
    func leave(_ kind: Kind) { counts.withLock { $0[kind.rawValue] -= 1 } }

    /// How many places of a kind are taken.
    func count(_ kind: Kind) -> Int { counts.withLock { $0[kind.rawValue] } }
}
