internal import PawlCore

/// The tensors of some trees, grouped so that whatever one may be written against is in its group.
///
/// As a rule a family is one tensor of the model through its history.
struct TensorFamilies {
    /// A tensor or blob as the trees know it.
    struct Member: Sendable {
        let piece: TreeManifest.Piece
        /// The first tree that has it.
        let tree: Digest
        /// Places in the family of what it may be written against, the nearest ancestor first; all are earlier ones.
        var bases: [Int] = []
    }

    /// Tensors of one dtype and shape, each behind all that it may be written against.
    struct Family: Sendable {
        var members: [Member] = []
        /// Raw bytes of all members.
        var byteCount: Int { members.reduce(0) { $0 + $1.piece.byteCount } }
    }

    /// Families of more than one byte, the largest first.
    let families: [Family]

    /// A tensor is tried against so many others at most: the nearest, then ever farther ones, and the oldest.
    static let maximumBases = 12

    /// - Parameter trees: trees with their ancestors, nearest first, each tree behind its ancestors; ancestors that
    ///   are none of the trees are passed over.
    init(_ store: Store, _ trees: [RepackTree]) throws {
        var builder = FamilyBuilder()
        for tree in trees { try builder.add(tree, try store.tree(tree.tree)) }
        families = builder.families()
    }

    /// Some of many, nearest first: all of the nearest, then at doubling distances, and the last.
    static func spread<T>(_ values: [T]) -> [T] {
        guard values.count > maximumBases else { return values }
        let near = maximumBases / 2
        var chosen = Array(0..<near)
        var distance = near
        while chosen.count < maximumBases - 1, distance < values.count - 1 {
            chosen.append(distance)
            distance = max(distance + 1, distance * 3 / 2)
        }
        return (chosen + [values.count - 1]).map { values[$0] }
    }
}

/// Collects tensors and what they may be written against.
private struct FamilyBuilder {
    private var members: [TensorFamilies.Member] = []
    private var places: [Digest: Int] = [:]
    /// Pieces of the trees seen so far by what they are called.
    private var named: [Digest: [String: TreeManifest.Piece]] = [:]
    /// For each member one of its group with a smaller number, or itself.
    private var group: [Int] = []

    mutating func add(_ tree: RepackTree, _ manifest: TreeManifest) throws {
        var names: [String: TreeManifest.Piece] = [:]
        for piece in manifest.pieces where piece.byteCount > 0 {
            for name in BaseFinder.names(piece) { names[name] = piece }
            let place = place(piece, tree.tree)
            for ancestor in tree.ancestors {
                guard let known = named[ancestor],
                    let found = BaseFinder.names(piece).lazy.compactMap({ known[$0] }).first,
                    found.dtype == piece.dtype, found.shape == piece.shape, let base = places[found.digest],
                    // A tensor that came back after it had changed stands before what came in between.
                    base < place, !members[place].bases.contains(base)
                else { continue }
                members[place].bases.append(base)
                join(place, base)
            }
        }
        named[tree.tree] = names
    }

    private mutating func place(_ piece: TreeManifest.Piece, _ tree: Digest) -> Int {
        if let place = places[piece.digest] { return place }
        places[piece.digest] = members.count
        group.append(members.count)
        members.append(TensorFamilies.Member(piece: piece, tree: tree))
        return members.count - 1
    }

    private func root(_ member: Int) -> Int {
        var member = member
        while group[member] != member { member = group[member] }
        return member
    }

    private mutating func join(_ a: Int, _ b: Int) {
        let (first, second) = (root(a), root(b))
        group[max(first, second)] = min(first, second)
    }

    func families() -> [TensorFamilies.Family] {
        var families: [Int: TensorFamilies.Family] = [:]
        var local: [Int] = []
        for (place, member) in members.enumerated() {
            let root = root(place)
            var member = member
            member.bases = TensorFamilies.spread(member.bases).map { local[$0] }
            local.append(families[root]?.members.count ?? 0)
            families[root, default: TensorFamilies.Family()].members.append(member)
        }
        return families.sorted { (-$0.value.byteCount, $0.key) < (-$1.value.byteCount, $1.key) }.map(\.value)
    }
}
