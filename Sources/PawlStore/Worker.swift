internal import PawlCore
internal import Synchronization

/// Scratch memory and open files of one thread.
final class Worker {
    let block = Scratch()
    let other = Scratch()
    let payload = Scratch()
    private var tensor = Scratch(1)
    private var coders: [CoderKey: any BlockCoder] = [:]
    private var lastFile: FileReader?
    private var lastOutput: FileWriter?

    private struct CoderKey: Hashable {
        let codec: CodecIdentity
        let level: EncodingLevel
    }

    /// Bytes of memory that a worker takes, its coder included.
    static let footprint = 20 << 20

    /// Memory for a whole tensor, the same until a larger one is asked for: new memory costs a fault for each page.
    func room(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        if tensor.memory.count < byteCount { tensor = Scratch(byteCount) }
        return tensor.prefix(byteCount)
    }

    func coder(_ codec: any TensorCodec) throws -> any BlockCoder {
        let key = CoderKey(codec: codec.identity, level: codec.level)
        if let coder = coders[key] { return coder }
        let coder = try codec.makeCoder()
        coders[key] = coder
        return coder
    }

    /// A file open for reading; the one that was used last stays open.
    func file(_ path: String) throws -> FileReader {
        if let lastFile, lastFile.path.equalsBytewise(path) { return lastFile }
        let file = try FileReader(path)
        lastFile = file
        return file
    }

    /// A file open for writing; the one that was used last stays open.
    func output(_ path: String) throws -> FileWriter {
        if let lastOutput, lastOutput.path.equalsBytewise(path) { return lastOutput }
        let file = try FileWriter(path)
        lastOutput = file
        return file
    }

    /// Runs jobs 0..<count on all processors in that order, each thread with a worker of its own.
    ///
    /// - Parameter pool: where workers come from and go back to; nil for new ones.
    static func run(
        _ count: Int, memoryLimit: Int = 512 << 20, pool: WorkerPool? = nil,
        _ body: @Sendable (Int, Worker) throws -> Void
    ) throws {
        let threads = min(count, Parallel.width, max(1, memoryLimit / 2 / footprint))
        guard threads > 0 else { return }
        let next = Atomic(0)
        try Parallel.forEach(threads) { _ in
            let worker = pool?.take() ?? Worker()
            defer { pool?.give(worker) }
            do {
                while true {
                    let job = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard job < count else { return }
                    try body(job, worker)
                }
            } catch {
                next.store(count, ordering: .relaxed)
                throw error
            }
        }
    }
}

/// Workers between two runs: what is done in many short runs would else get new memory for each.
final class WorkerPool: Sendable {
    private let idle = Mutex<[Idle]>([])

    /// A worker that no thread has.
    private struct Idle: @unchecked Sendable { let worker: Worker }

    func take() -> Worker { idle.withLock { $0.popLast() }?.worker ?? Worker() }

    func give(_ worker: Worker) {
        let idle = Idle(worker: worker)
        self.idle.withLock { $0.append(idle) }
    }
}
