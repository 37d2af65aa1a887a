internal import Foundation
public import PawlCore
internal import Synchronization

extension Store {
    /// Re-reads and re-hashes every object, or those that the given trees need, and says what is wrong.
    ///
    /// - Parameters:
    ///   - deep: also decode every tensor and check it against its digest, which the object names cannot show.
    ///   - trees: the trees to look at; nil for everything in the store. A registry passes the trees it knows,
    ///     so that a missing manifest is noticed too.
    /// - Returns: one entry for each damaged or missing file, in order of its name; empty when all is well.
    public func verify(deep: Bool, trees: [Digest]? = nil, progress: ProgressHandler? = nil) throws
        -> [Damage]
    {
        let lock = try lock(.shared)
        defer { withExtendedLifetime(lock) {} }
        var verification = Verification(self)
        try verification.run(deep: deep, trees: trees, progress)
        return verification.damages()
    }
}

/// One run of `verify`: what each object holds, what is wrong with which file, and who needs it.
private struct Verification {
    private let store: Store
    /// What is wrong, by the name of the file below the root.
    private var faults: [String: String] = [:]
    private var heads: [Digest: TensorHead.Header] = [:]
    private var parts: [Digest: Int] = [:]
    private var manifests: [Digest: TreeManifest] = [:]
    /// Trees whose manifest cannot be read.
    private var lostTrees: Set<Digest> = []
    private var pointers: [Digest: Digest] = [:]

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
            try scan(try needed(by: trees), progress)
        } else {
            try scan(try store.objectNames(), progress)
            try refuseStrangers()
        }
        for tree in trees ?? [] where manifests[tree] == nil {
            lostTrees.insert(tree)
            let name = Store.name(ofObject: tree)
            let isThere = Files.exists(store.url(ofObject: tree))
            if faults[name] == nil {
                faults[name] = isThere ? "it is no manifest of a tree" : "the manifest is missing"
            }
        }
        if trees == nil { for tensor in try store.pointerNames() { checkPointer(tensor) } }
        checkReferences()
        if deep { try decode(progress) }
    }

    // MARK: Objects

    /// Re-hashes objects on all processors and reads what they are.
    private mutating func scan(_ objects: [Digest], _ progress: ProgressHandler?) throws {
        let store = store
        let fresh = objects.filter { heads[$0] == nil && parts[$0] == nil && manifests[$0] == nil }
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
        for (directory, known) in [
            (store.objects, Set(try store.objectNames())), (store.pointers, Set(try store.pointerNames())),
        ] {
            for prefix in try FileAccess.names(in: directory.path) {
                let folder = directory.appending(path: prefix)
                let place = "\(directory.lastPathComponent)/\(prefix)"
                guard Files.isDirectory(folder) else {
                    faults[place] = "it does not belong to the store"
                    continue
                }
                for name in try FileAccess.names(in: folder.path)
                where Digest(hex: name).map({ known.contains($0) && name.hasPrefix(prefix) }) != true {
                    faults["\(place)/\(name)"] = "it does not belong to the store"
                }
            }
        }
    }

    /// Everything that trees lead to, as far as it can be read.
    private mutating func needed(by trees: [Digest]) throws -> [Digest] {
        try scan(trees.filter { Files.exists(store.url(ofObject: $0)) }, nil)
        for tensor in Set(manifests.values.flatMap(\.pieces).map(\.digest)) { checkPointer(tensor) }
        var objects = Set(pointers.values)
        var frontier = objects
        while !frontier.isEmpty {
            let next = frontier.compactMap { object -> [Digest]? in
                guard let file = try? store.openObject(object),
                    let header = try? TensorHead.read(file, object: object).head.header
                else { return nil }
                let bases = header.base.map {
                    [$0.object] + ((try? store.pointer($0.tensor)).flatMap { $0 }.map { [$0] } ?? [])
                }
                return header.parts.map(\.object) + (bases ?? [])
            }
            frontier = Set(next.joined()).subtracting(objects)
            objects.formUnion(frontier)
        }
        return objects.filter { Files.exists(store.url(ofObject: $0)) }.sorted()
    }

    // MARK: What names what

    private mutating func checkPointer(_ tensor: Digest) {
        let name = Store.name(ofPointer: tensor)
        do {
            if let head = try store.pointer(tensor) {
                pointers[tensor] = head
            } else {
                faults[name] = "the index file is missing"
            }
        } catch {
            faults[name] = (error as? PawlError)?.message ?? "\(error)"
        }
    }

    /// Checks that everything named is there and is what it is named as.
    private mutating func checkReferences() {
        for (tensor, object) in pointers {
            let name = Store.name(ofObject: object)
            if let head = heads[object] {
                if head.tensor != tensor {
                    faults[Store.name(ofPointer: tensor)] =
                        "it names object \(object), which holds another tensor"
                }
            } else if faults[name] == nil {
                // A name that leads nowhere: the object is lost, or the index file holds a wrong name.
                let isThere = Files.exists(store.url(ofObject: object))
                faults[Store.name(ofPointer: tensor)] =
                    "it names object \(object), which is \(isThere ? "no tensor" : "missing")"
            }
        }
        for piece in manifests.values.flatMap(\.pieces) where pointers[piece.digest] == nil {
            let name = Store.name(ofPointer: piece.digest)
            if faults[name] == nil { faults[name] = "the index file is missing" }
        }
        for (object, head) in heads {
            for part in head.parts where parts[part.object] == nil {
                lack(part.object, "a part of object \(object)")
            }
            guard let base = head.base else { continue }
            if let found = self.base(of: head).flatMap({ heads[$0] }) {
                let fits =
                    found.tensor == base.tensor && found.dtype == head.dtype && found.shape == head.shape
                if !fits || found.depth >= head.depth {
                    faults[Store.name(ofObject: object)] = "its base \(base.object) does not fit it"
                }
            } else {
                lack(base.object, "the base of object \(object)")
            }
        }
    }

    /// The base's object, or another encoding of it that a reader falls back to when that one is damaged or lost.
    private func base(of head: TensorHead.Header) -> Digest? {
        guard let base = head.base, heads[base.object] == nil else { return head.base?.object }
        let other = (try? store.pointer(base.tensor)).flatMap { $0 }
        guard let other, let found = heads[other], found.depth < head.depth else { return base.object }
        return other
    }

    private mutating func lack(_ object: Digest, _ role: String) {
        let name = Store.name(ofObject: object)
        guard faults[name] == nil else { return }
        faults[name] =
            Files.exists(store.url(ofObject: object)) ? "it is not \(role)" : "missing: it is \(role)"
    }

    // MARK: Deep

    /// Decodes every tensor whose objects are intact.
    private mutating func decode(_ progress: ProgressHandler?) throws {
        let affected = affectedHeads()
        let objects = heads.keys.filter { affected[$0] == nil }.sorted()
        let session = ReadSession(store, checked: Set(heads.keys).union(parts.keys))
        let opened = Collected<Result<TensorReader, any Error>>(objects.count)
        try Parallel.forEach(objects.count) { index in
            opened[index] = Result { try session.reader(object: objects[index]) }
        }
        let readers = opened.all.compactMap { try? $0.get() }
        let jobs = BlockJobs(readers.map(\.head.byteCount))
        let meter = Meter("decode", total: readers.reduce(0) { $0 + $1.head.byteCount }, progress)
        let wrong = Mutex([Digest: String]())
        try Worker.run(jobs.count) { job, worker in
            let (index, block) = jobs[job]
            let reader = readers[index]
            let size = Blocks.range(block, of: reader.head.byteCount).count
            do {
                try reader.readBlock(block, into: worker.block.prefix(size), worker)
            } catch {
                let reason = (error as? PawlError)?.message ?? "\(error)"
                wrong.withLock { if $0[reader.object] == nil { $0[reader.object] = reason } }
            }
            meter.add(size)
        }
        for (object, result) in zip(objects, opened.all) {
            if case .failure(let error) = result {
                faults[Store.name(ofObject: object)] = (error as? PawlError)?.message ?? "\(error)"
            }
        }
        for (object, reason) in wrong.withLock({ $0 }) { faults[Store.name(ofObject: object)] = reason }
    }

    // MARK: Who is affected

    /// The faulty files that each head object suffers from, those of its chain included.
    private func affectedHeads() -> [Digest: Set<String>] {
        var causes: [Digest: Set<String>] = [:]
        func collect(_ object: Digest) -> Set<String> {
            if let known = causes[object] { return known }
            let name = Store.name(ofObject: object)
            var own: Set<String> = faults[name] == nil ? [] : [name]
            if let head = heads[object] {
                own.formUnion(head.parts.map { Store.name(ofObject: $0.object) }.filter { faults[$0] != nil })
                if let base = base(of: head) { own.formUnion(collect(base)) }
            }
            causes[object] = own
            return own
        }
        for object in heads.keys { _ = collect(object) }
        for object in pointers.values { _ = collect(object) }
        return causes.filter { !$0.value.isEmpty }
    }

    /// One entry for each fault, with the trees and names that it touches.
    func damages() -> [Damage] {
        let affected = affectedHeads()
        var trees: [String: Set<Digest>] = [:]
        var names: [String: Set<String>] = [:]
        for (tree, manifest) in manifests {
            for piece in manifest.pieces {
                var causes = pointers[piece.digest].flatMap { affected[$0] } ?? []
                let pointer = Store.name(ofPointer: piece.digest)
                if faults[pointer] != nil { causes.insert(pointer) }
                for cause in causes {
                    trees[cause, default: []].insert(tree)
                    names[cause, default: []].insert(piece.name)
                }
            }
        }
        for tree in lostTrees { trees[Store.name(ofObject: tree), default: []].insert(tree) }
        return faults.sorted { $0.key < $1.key }.map { object, reason in
            Damage(
                object: object, reason: reason, trees: (trees[object] ?? []).sorted(),
                names: (names[object] ?? []).sorted())
        }
    }
}
