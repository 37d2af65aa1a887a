internal import Foundation
internal import PawlCore

/// One run of `verify`: what each object holds, what is wrong with which file, and who needs it.
struct Verification {
    let store: Store
    /// What is wrong, by the name of the file below the root.
    var faults: [String: String] = [:]
    /// The blocks that are spoilt, by the name of the file.
    var blocks: [String: [Damage.Block]] = [:]
    var heads: [Digest: TensorHead.Header] = [:]
    var parts: [Digest: Int] = [:]
    var manifests: [Digest: TreeManifest] = [:]
    /// Trees whose manifest cannot be read.
    var lostTrees: Set<Digest> = []
    var pointers: [Digest: Digest] = [:]

    /// Objects that have been looked at.
    private var seen: Set<Digest> = []

    init(_ store: Store) { self.store = store }

    /// What reading one object found.
    private struct Found: Sendable {
        let object: Digest
        var fault: String?
        var head: TensorHead.Header?
        var partSize: Int?
        var manifest: TreeManifest?
        /// Damaged or not, it looks like the manifest of a tree.
        var isTree = false
    }

    mutating func run(deep: Bool, trees: [Digest]?, _ progress: ProgressHandler?) throws {
        do {
            try store.checkFormat()
        } catch let error as PawlError {
            faults["store.json"] = error.message
        }
        if let trees {
            try scan(trees, nil)
        } else {
            for tensor in try store.pointerNames() { checkPointer(tensor) }
            try scan(try store.objectNames(), progress)
            try refuseStrangers()
        }
        for tensor in Set(manifests.values.flatMap(\.pieces).map(\.digest)) where pointers[tensor] == nil {
            checkPointer(tensor)
        }
        try scanNamed(progress)
        for tree in trees ?? [] where manifests[tree] == nil {
            lostTrees.insert(tree)
            let name = Store.name(ofObject: tree)
            let isThere = Files.exists(store.url(ofObject: tree))
            if faults[name] == nil {
                faults[name] = isThere ? "it is no manifest of a tree" : "the manifest is missing"
            }
        }
        checkReferences()
        try locateBlocks()
        if deep { try decode(progress) }
    }

    /// Takes trees for lost whose manifest is damaged, whatever its bytes look like now.
    mutating func addLost(_ known: Set<Digest>) {
        lostTrees.formUnion(
            known.filter { manifests[$0] == nil && faults[Store.name(ofObject: $0)] != nil })
    }

    // MARK: Objects

    /// Re-hashes objects on all processors and reads what they are.
    private mutating func scan(_ objects: [Digest], _ progress: ProgressHandler?) throws {
        let store = store
        let fresh = objects.filter { Files.exists(store.url(ofObject: $0)) && seen.insert($0).inserted }
        let sizes = fresh.map { (try? store.openObject($0).size()) ?? 0 }
        let meter = Meter("verify", total: sizes.reduce(0, +), progress)
        let found = Collected<Found>(fresh.count)
        try Parallel.forEach(fresh.count) { index in
            found[index] = Self.examine(fresh[index], in: store)
            meter.add(sizes[index])
        }
        for item in found.all {
            if let fault = item.fault { faults[Store.name(ofObject: item.object)] = fault }
            heads[item.object] = item.head
            parts[item.object] = item.partSize
            manifests[item.object] = item.manifest
            if item.isTree && item.manifest == nil { lostTrees.insert(item.object) }
        }
    }

    private static func examine(_ object: Digest, in store: Store) -> Found {
        var found = Found(object: object)
        do {
            let file = try store.openObject(object)
            let (digest, size, magic) = try file.digest()
            let kind = ObjectKind(magic: magic)
            let isIntact = digest == object
            found.isTree = try kind == .document && looksLikeTree(file.bytes(0..<size), isIntact: isIntact)
            guard isIntact else {
                found.fault = "its bytes do not have the SHA-256 that it is named by"
                return found
            }
            switch kind {
            case .head: found.head = try TensorHead.read(file, object: object).head.header
            case .part: found.partSize = size
            case .document: if found.isTree { found.manifest = try store.tree(object) }
            }
        } catch {
            found.fault = (error as? PawlError)?.message ?? "\(error)"
        }
        return found
    }

    /// True for the manifest of a tree; of a damaged document, for one that has its beginning or its end.
    private static func looksLikeTree(_ bytes: [UInt8], isIntact: Bool) -> Bool {
        let ending = Array(#""type":"tree","version":1}"#.utf8)
        let (begins, ends) = (
            bytes.starts(with: #"{"entries":["#.utf8), bytes.suffix(ending.count) == ending[...]
        )
        return isIntact ? begins && ends : begins || ends
    }

    /// Files that do not belong where they are: nothing reads them, but somebody put them there.
    private mutating func refuseStrangers() throws {
        for directory in [store.objects, store.pointers] {
            for prefix in try FileAccess.names(in: directory.path) {
                let folder = directory.appending(path: prefix)
                let place = "\(directory.lastPathComponent)/\(prefix)"
                guard Files.isDirectory(folder) else {
                    faults[place] = "it does not belong to the store"
                    continue
                }
                for name in try FileAccess.names(in: folder.path)
                where Digest(hex: name) == nil || !name.hasPrefix(prefix) {
                    faults["\(place)/\(name)"] = "it does not belong to the store"
                }
            }
        }
    }

    /// Looks at everything that what was seen so far names: all of it when only some trees are looked at, and
    /// what another process has added since the objects were listed.
    private mutating func scanNamed(_ progress: ProgressHandler?) throws {
        var named = Array(pointers.values)
        while !named.isEmpty {
            try scan(named, progress)
            named = heads.values.flatMap { head in
                let others = head.sources.compactMap { try? store.pointer($0.tensor) }
                return head.parts.map(\.object) + head.sources.map(\.object) + others
            }
            named = Set(named).filter { !seen.contains($0) && Files.exists(store.url(ofObject: $0)) }
        }
    }
}
