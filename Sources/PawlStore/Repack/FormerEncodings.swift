internal import Foundation
internal import PawlCore

extension Store {
    /// Seconds that a repacking waits for readers and writers before it leaves former encodings to a collection.
    private static let patience = 30.0

    /// Removes encodings of tensors that the index leads past to another one, as long as nothing that stays is restored
    /// from them; nil when the store was in use all the time, or when damage leaves open what is needed.
    func removeFormerEncodings() throws -> (objects: Int, bytes: Int)? {
        guard let lock = try exclusiveLock(patience: Self.patience) else { return nil }
        defer { withExtendedLifetime(lock) {} }
        var heads: [Digest: TensorHead.Header] = [:]
        for object in try objectNames() where try objectKind(object) == .head {
            let head = try? TensorHead.read(try openObject(object), object: object).head
            guard let head else { return nil }
            heads[object] = head.header
        }
        let former = try formerEncodings(heads)
        guard try areIntact(heads, besides: former) else { return nil }
        // What needs another goes before it, and a head before its parts: whatever a kill leaves fits together.
        let order = former.sorted { (-(heads[$0]?.depth ?? 0), $0) < (-(heads[$1]?.depth ?? 0), $1) }
        let keptParts = Set(heads.filter { !former.contains($0.key) }.values.flatMap(Self.parts))
        let parts = Set(former.flatMap { heads[$0].map(Self.parts) ?? [] }).subtracting(keptParts)
        let objects = order + parts.sorted().filter { Files.exists(url(ofObject: $0)) }
        let bytes = try objects.reduce(0) { $0 + (try openObject($1).size()) }
        for object in objects {
            observer?(.remove(url(ofObject: object).path))
            try FileAccess.unlinkFile(url(ofObject: object).path)
        }
        return (objects.count, bytes)
    }

    private static func parts(_ header: TensorHead.Header) -> [Digest] { header.parts.map(\.object) }

    /// Whether what decides on the former encodings is to be trusted: every delta that stays, since it names a base,
    /// and all objects of the encodings that take the place of former ones.
    private func areIntact(_ heads: [Digest: TensorHead.Header], besides former: Set<Digest>) throws -> Bool {
        let replaced = Set(former.compactMap { heads[$0]?.tensor })
        let staying = heads.filter { object, header in
            !former.contains(object) && (header.base != nil || replaced.contains(header.tensor))
        }
        let objects = former.isEmpty ? [] : staying.flatMap { [$0.key] + Self.parts($0.value) }
        let results = Collected<Bool>(objects.count)
        try Parallel.forEach(objects.count) { index in
            results[index] = (try? openObject(objects[index]).digest().digest) == objects[index]
        }
        return results.all.allSatisfy { $0 }
    }

    /// Heads that are not what the index names for their tensor, though it names one that is there, and that no
    /// head that stays is restored from.
    private func formerEncodings(_ heads: [Digest: TensorHead.Header]) throws -> Set<Digest> {
        var named: [Digest: Digest] = [:]
        for header in heads.values { named[header.tensor] = try? pointer(header.tensor) }
        var former = Set(
            heads.filter { object, header in
                guard let now = named[header.tensor], now != object else { return false }
                return heads[now]?.tensor == header.tensor
            }.keys)
        // What is kept keeps what it is restored from, so this ends at once for each chain.
        var needed = heads.keys.filter { !former.contains($0) }
        while let object = needed.popLast() {
            for source in heads[object]?.sources ?? [] where former.remove(source.object) != nil {
                needed.append(source.object)
            }
        }
        return former
    }

    private func exclusiveLock(patience: Double) throws -> FileLock? {
        let end = Date().addingTimeInterval(patience)
        repeat {
            if let lock = try FileLock.attempt(root.appending(path: "store.lock"), .exclusive) { return lock }
            Thread.sleep(forTimeInterval: 0.05)
        } while Date() < end
        return nil
    }
}
