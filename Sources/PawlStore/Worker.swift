internal import PawlCore
internal import Synchronization

/// Scratch memory and open files of one thread.
final class Worker {
    let block = Scratch()
    let other = Scratch()
    let payload = Scratch()
    private var coders: [CoderKey: any BlockCoder] = [:]
    private var lastFile: FileReader?
    private var lastOutput: FileWriter?

    private struct CoderKey: Hashable {
        let codec: CodecIdentity
        let level: EncodingLevel
    }

    /// Bytes of memory that a worker takes, its coder included.
    static let footprint = 20 << 20

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
    static func run(
        _ count: Int, memoryLimit: Int = 512 << 20, _ body: @Sendable (Int, Worker) throws -> Void
    ) throws {
        let threads = min(count, Parallel.width, max(1, memoryLimit / 2 / footprint))
        guard threads > 0 else { return }
        let next = Atomic(0)
        try Parallel.forEach(threads) { _ in
            let worker = Worker()
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
