/// A piece of text on its way to becoming words: a range of bytes in some buffer.
struct Piece {
    var range: Range<Int>
    /// True when the original text begins with this piece.
    let isFirst: Bool
}

/// What becomes of the matches when text is split at them.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// A part of a piece, and whether it is a match.
    struct Part {
        var range: Range<Int>
        let isMatch: Bool
    }

    /// Appends the pieces that `piece` is split into. `parts` cover it without gaps, in order.
    func split(_ piece: Piece, _ parts: [Part], into pieces: inout [Piece]) {
        let ranges: [Range<Int>] =
            switch self {
            case .isolated: parts.map(\.range)
            case .removed: parts.filter { !$0.isMatch }.map(\.range)
            case .contiguous: Self.join(parts) { $0 == $1 }
            case .mergedWithPrevious: Self.join(parts) { isMatch, previous in isMatch && !previous }
            case .mergedWithNext:
                Self.join(parts.reversed()) { isMatch, previous in isMatch && !previous }
                    .reversed()
            }
        for range in ranges where !range.isEmpty {
            let isFirst = piece.isFirst && range.lowerBound == piece.range.lowerBound
            pieces.append(Piece(range: range, isFirst: isFirst))
        }
    }

    /// Joins a part to the one before it (in the order given) when the rule says so. The part before the
    /// first counts as no match.
    private static func join(_ parts: [Part], _ rule: (_ isMatch: Bool, _ previous: Bool) -> Bool)
        -> [Range<Int>]
    {
        var ranges: [Range<Int>] = []
        var previous = false
        for part in parts {
            if rule(part.isMatch, previous), let last = ranges.last {
                let lower = min(last.lowerBound, part.range.lowerBound)
                ranges[ranges.count - 1] = lower..<max(last.upperBound, part.range.upperBound)
            } else {
                ranges.append(part.range)
            }
            previous = part.isMatch
        }
        return ranges
    }
}
