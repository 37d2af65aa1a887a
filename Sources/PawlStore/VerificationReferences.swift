internal import Foundation
internal import PawlCore
internal import Synchronization

extension Verification {
    mutating func checkPointer(_ tensor: Digest) {
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
    mutating func checkReferences() {
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
        for (object, head) in heads {
            for part in head.parts where parts[part.object] == nil {
                lack(part.object, "a part of object \(object)")
            }
            checkSources(of: head, object)
        }
    }

    private mutating func checkSources(of head: TensorHead.Header, _ object: Digest) {
        for source in head.sources {
            guard let found = heads[holder(of: source, for: head)] else {
                lack(source.object, "what object \(object) is restored from")
                continue
            }
            if found.tensor != source.tensor || found.depth >= head.depth {
                faults[Store.name(ofObject: object)] = "its source \(source.object) does not fit it"
            }
        }
        let name = Store.name(ofObject: object)
        if let base = header(of: head.base, for: head), base.dtype != head.dtype || base.shape != head.shape {
            faults[name] = "its base does not fit it"
        }
        for fold in head.folds ?? [] {
            guard let a = header(of: fold.a, for: head), let b = header(of: fold.b, for: head) else {
                continue
            }
            if !LowRankFold.fits(a, b, shape: head.shape) { faults[name] = "its factors do not fit it" }
        }
    }

    private func header(of source: TensorHead.Source?, for head: TensorHead.Header) -> TensorHead.Header? {
        source.flatMap { heads[holder(of: $0, for: head)] }
    }

    /// A source's object, or another encoding of it that a reader falls back to when that one is damaged or lost.
    private func holder(of source: TensorHead.Source, for head: TensorHead.Header) -> Digest {
        guard heads[source.object] == nil else { return source.object }
        let other = (try? store.pointer(source.tensor)).flatMap { $0 }
        guard let other, let found = heads[other], found.depth < head.depth else { return source.object }
        return other
    }

    private mutating func lack(_ object: Digest, _ role: String) {
        let name = Store.name(ofObject: object)
        guard faults[name] == nil else { return }
        faults[name] =
            Files.exists(store.url(ofObject: object)) ? "it is not \(role)" : "missing: it is \(role)"
    }

    /// Decodes every tensor whose objects are intact.
    mutating func decode(_ progress: ProgressHandler?) throws {
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
        let wrong = Mutex((reasons: [Digest: String](), blocks: [Digest: [Damage.Block]]()))
        try Worker.run(jobs.count) { job, worker in
            let (index, block) = jobs[job]
            let reader = readers[index]
            let size = Blocks.range(block, of: reader.head.byteCount).count
            do {
                try reader.readBlock(block, into: worker.block.prefix(size), worker)
            } catch {
                let reason = (error as? PawlError)?.message ?? "\(error)"
                let spoilt = Damage.Block(
                    tensor: reader.header.tensor, block: block, count: reader.head.blocks.count)
                wrong.withLock {
                    if $0.reasons[reader.object] == nil { $0.reasons[reader.object] = reason }
                    $0.blocks[reader.object, default: []].append(spoilt)
                }
            }
            meter.add(size)
        }
        for (object, result) in zip(objects, opened.all) {
            if case .failure(let error) = result {
                faults[Store.name(ofObject: object)] = (error as? PawlError)?.message ?? "\(error)"
            }
        }
        let found = wrong.withLock { $0 }
        for (object, reason) in found.reasons { faults[Store.name(ofObject: object)] = reason }
        for (object, spoilt) in found.blocks {
            blocks[Store.name(ofObject: object)] = spoilt.sorted { $0.block < $1.block }
        }
    }

    /// The faulty files that each head object suffers from, those of its chain included.
    func affectedHeads() -> [Digest: Set<String>] {
        var causes: [Digest: Set<String>] = [:]
        func collect(_ object: Digest) -> Set<String> {
            if let known = causes[object] { return known }
            let name = Store.name(ofObject: object)
            var own: Set<String> = faults[name] == nil ? [] : [name]
            if let head = heads[object] {
                own.formUnion(head.parts.map { Store.name(ofObject: $0.object) }.filter { faults[$0] != nil })
                for source in head.sources { own.formUnion(collect(holder(of: source, for: head))) }
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
                names: (names[object] ?? []).sorted(), blocks: blocks[object] ?? [])
        }
    }
}
