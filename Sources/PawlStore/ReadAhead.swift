internal import Foundation
internal import PawlCore
internal import Synchronization

/// Has the system fetch from the disk what a read is about to need, while what comes before is decoded.
///
/// A tensor is spread over the objects of its chain, each of which would otherwise be waited for in turn. It only ever
/// asks: what cannot be read is found by the reader.
final class ReadAhead: Sendable {
    private let store: Store
    /// Digests and raw bytes of tensors, in the order in which they will be read.
    private let tensors: [(digest: Digest, bytes: Int)]
    private let state = Mutex(State())
    private let queue = OperationQueue()

    private struct State {
        /// The first tensor that was not asked for.
        var next = 0
        /// Raw bytes that were asked for and not taken yet.
        var ahead = 0
        var seen: Set<Digest> = []
    }

    /// Raw bytes to be ahead by: enough for a disk to be kept busy, little beside the page cache.
    private static let limit = 128 << 20
    /// Requests at a time; they wait for the disk, not for a processor.
    private static let width = 4

    init(_ store: Store, _ tensors: [(digest: Digest, bytes: Int)]) {
        self.store = store
        self.tensors = tensors
        queue.maxConcurrentOperationCount = Self.width
        queue.qualityOfService = .userInitiated
        advance(taken: 0)
    }

    /// Says that the reader has got hold of a tensor of so many bytes.
    func advance(taken bytes: Int) {
        let wanted = state.withLock { state in
            state.ahead -= bytes
            let first = state.next
            while state.next < tensors.count, state.ahead < Self.limit {
                state.ahead += tensors[state.next].bytes
                state.next += 1
            }
            return first..<state.next
        }
        for index in wanted { queue.addOperation { self.ask(tensor: self.tensors[index].digest) } }
    }

    /// Asks for nothing more, and waits for what was asked last.
    func stop() {
        queue.cancelAllOperations()
        queue.waitUntilAllOperationsAreFinished()
    }

    private func ask(tensor: Digest) {
        guard let object = try? store.pointer(tensor), let file = try? store.openObject(object) else {
            return
        }
        // What is in memory has its chain there too, as a rule: then there is nothing to do.
        guard !file.isInMemory() else { return }
        ask(object, file)
    }

    private func ask(_ object: Digest, _ file: FileReader) {
        guard state.withLock({ $0.seen.insert(object).inserted }) else { return }
        file.fetch()
        guard let head = try? TensorHead.read(file, object: object).head else { return }
        for part in head.header.parts { (try? store.openObject(part.object))?.fetch() }
        for source in head.header.sources {
            if let file = try? store.openObject(source.object) { ask(source.object, file) }
        }
    }
}
