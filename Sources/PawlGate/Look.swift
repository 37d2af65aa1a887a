internal import PawlCore

/// A look at a part of a suite's items, in a judgement that may go on to more of them.
///
/// A group-sequential test: the alpha of an attempt is spent over the looks by the power family of Kim and DeMets (1987),
/// "Design and analysis of group sequential tests based on the type I error spending rate function", Biometrika 74,
/// 149-154: after a share t of the items alpha t² is spent (spending functions: Lan and DeMets 1983, "Discrete sequential
/// boundaries for clinical trials", Biometrika 70, 659-663). Each look tests at what it adds, alpha (t² - s²), s being the
/// share before it. The looks' errors then sum to alpha at most, whatever their correlation and whenever one stops
/// (Bonferroni's inequality); the joint distribution of the looks, which would allow a little more at each, is not
/// needed, and so no assumption of normality beyond that of each bound.
public struct Look: Codable, Sendable, Hashable {
    /// Number of this look, 1-based.
    public let index: Int
    /// Number of looks that the suite allows.
    public let of: Int
    /// Items of the looks before.
    public let before: Int
    /// Items so far, this look's included.
    public let used: Int
    /// Items of all looks.
    public let total: Int

    /// Makes a look; the counts do not fall.
    public init(index: Int, of: Int, before: Int, used: Int, total: Int) {
        precondition(1...of ~= index && 0...used ~= before && used <= total && total > 0)
        self.index = index
        self.of = of
        self.before = before
        self.used = used
        self.total = total
    }

    /// The share of an attempt's alpha that this look spends.
    public var share: Double {
        Double(used * used - before * before) / Double(total * total)
    }
}

extension Suite {
    /// Most looks that a suite may allow: with more, the first ones decide nothing.
    public static let mostLooks = 5

    /// The look to which an item belongs, 0-based: by a part of its digest, so that it never depends on other items.
    static func stage(of item: Digest, looks: Int) -> Int {
        Int(item.fraction(ofWord: 1) * Double(looks))
    }

    /// The items of the first so many looks, with what the last of them spends.
    ///
    /// - Parameter index: from 1 to the number of looks, which gives all items.
    public func first(_ index: Int) -> Suite {
        precondition((1...looks).contains(index))
        guard looks > 1 else { return self }
        func count(_ upTo: Int) -> Int {
            items.count { Self.stage(of: $0.digest, looks: looks) < upTo }
        }
        return taking(
            items.filter { Self.stage(of: $0.digest, looks: looks) < index },
            look: Look(
                index: index, of: looks, before: count(index - 1), used: count(index), total: items.count))
    }

    /// The items that a look adds to the ones before.
    public func adding(_ index: Int) -> Suite {
        taking(items.filter { Self.stage(of: $0.digest, looks: looks) == index - 1 }, look: nil)
    }

    /// The alpha of an attempt at this look; of a whole suite, at its last one.
    public func alpha(attempt: Int) -> Double {
        let alpha = AlphaSpending.alpha(attempt: attempt)
        guard let look = look ?? first(looks).look else { return alpha }
        return alpha * look.share
    }
}

extension Suite {
    /// So many of the items, as good as drawn at random and always the same ones; all of them when there are no more.
    public func sample(_ count: Int) -> Suite {
        // Another word of the digest than those that say which items are sealed and when an item is looked at.
        let drawn = items.sorted { $0.digest.fraction(ofWord: 2) < $1.digest.fraction(ofWord: 2) }.prefix(
            count)
        let chosen = Set(drawn.map(\.digest))
        return taking(items.filter { chosen.contains($0.digest) }, look: look)
    }
}

extension Evidence {
    /// The results of a part of the items; `evidence_invalid` when one of them is not there.
    public func restricted(to suite: Suite) throws -> Evidence {
        try restricted(to: Set(suite.items.map(\.digest)), of: "suite \(suite.name) \(suite.version)")
    }

    /// The results on the items of another evidence; `evidence_invalid` when one of them is not there.
    public func restricted(to other: Evidence) throws -> Evidence {
        try restricted(to: Set(other.results.map(\.item)), of: "the other evidence")
    }

    private func restricted(to wanted: Set<Digest>, of whose: String) throws -> Evidence {
        let part = results.filter { wanted.contains($0.item) }
        guard part.count == wanted.count else {
            throw PawlError(
                .evidenceInvalid,
                "\(wanted.count - part.count) items of \(whose) are not in the evidence"
            )
        }
        return try Evidence(part)
    }
}

extension Digest {
    /// One of the digest's four 64-bit words as a number in 0..<1; as good as random, and the same everywhere.
    func fraction(ofWord word: Int) -> Double {
        let start = hex.index(hex.startIndex, offsetBy: 16 * word)
        let digits = hex[start..<hex.index(start, offsetBy: 16)]
        return Double((UInt64(digits, radix: 16) ?? 0) >> 11) * 0x1p-53
    }
}
