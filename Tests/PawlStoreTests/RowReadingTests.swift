import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct RowReadingTests {
    /// 3 MiB and a bit, in rows of 1,000 bytes, so that rows lie across the borders of blocks.
    private static let shape = [3200, 500]

    /// A model of one large tensor and a step of training, and the tree of the latter.
    private func trained(_ directory: URL) throws -> (TreeReader, SampleTensor, Int) {
        var random = SeededGenerator(seed: 7)
        let tensor = SampleTensor.weights("w", Self.shape, &random)
        let next = tensor.trained(&random)
        let scalar = SampleTensor(name: "s", dtype: .f32, shape: [], bytes: [1, 2, 3, 4])
        let store = try Store.create(at: directory.appending(path: "store"))
        try write(try safetensors([tensor]), directory.appending(path: "a"), "m.safetensors")
        try write(try safetensors([next, scalar]), directory.appending(path: "b"), "m.safetensors")
        let base = try store.importTree(directory.appending(path: "a")).tree
        let tree = try store.importTree(
            directory.appending(path: "b"), options: ImportOptions(parents: [base])
        ).tree
        let reader = try TreeReader(store, tree)
        let entry = try #require(reader.manifest.entries.firstIndex { $0.path == "m.safetensors" })
        return (reader, next, entry)
    }

    /// Rows as they come into memory that begins `shift` bytes behind an aligned place.
    private func rows(_ rows: Range<Int>, _ reader: TreeReader, _ entry: Int, shift: Int = 0) throws
        -> [UInt8]
    {
        let memory = Scratch(rows.count * 1000 + shift + 1)
        memory.memory.initializeMemory(as: UInt8.self, repeating: 0xAA)
        let target = UnsafeMutableRawBufferPointer(rebasing: memory.memory[shift..<shift + rows.count * 1000])
        try reader.readRows(rows, entry: entry, name: "w", into: target)
        // Nothing is written beside the rows.
        #expect(memory.memory[..<shift].allSatisfy { $0 == 0xAA })
        #expect(memory.memory[(shift + rows.count * 1000)...].allSatisfy { $0 == 0xAA })
        return Array(target)
    }

    @Test("any rows come as they are in the file, wherever the memory begins")
    func anyRows() throws {
        try withTemporaryDirectory { directory in
            let (reader, tensor, entry) = try trained(directory)
            var random = SeededGenerator(seed: 11)
            let edges = [0..<0, 0..<1, 3199..<3200, 0..<3200, 1048..<1049, 1047..<2098, 1049..<2097]
            let others = (0..<20).map { _ -> Range<Int> in
                let start = Int.random(in: 0..<3200, using: &random)
                return start..<Int.random(in: start...3200, using: &random)
            }
            for range in edges + others {
                let shift = Int.random(in: 0..<9, using: &random)
                #expect(
                    try rows(range, reader, entry, shift: shift)
                        == Array(tensor.bytes[range.lowerBound * 1000..<range.upperBound * 1000]),
                    "rows \(range), \(shift) bytes off")
            }
            let scalar = Scratch(4)
            try reader.read(entry: entry, name: "s", into: scalar.memory)
            #expect(Array(scalar.memory) == [1, 2, 3, 4])
        }
    }

    @Test("only the blocks that hold the rows are looked at")
    func onlyNeeded() throws {
        try withTemporaryDirectory { directory in
            let (reader, tensor, entry) = try trained(directory)
            let store = reader.store
            let piece = try #require(reader.manifest.pieces.first { $0.tensorName == "w" })
            let object = try #require(try store.pointer(piece.digest))
            let (head, payload) = try TensorHead.read(try store.openObject(object), object: object)
            let file = store.url(ofObject: object)
            var bytes = try Files.read(file)
            let start = payload + head.blocks[0].length + head.blocks[1].length
            for index in start..<start + 64 { bytes[index] ^= 0x5A }
            try FileAccess.setMode(0o644, file.path)
            try Data(bytes).write(to: file)
            // Rows 0..<2097 lie in the blocks before, 2098..<3145 in the damaged one, 3146... behind it.
            for range in [0..<2097, 3146..<3200] {
                #expect(
                    try rows(range, reader, entry)
                        == Array(tensor.bytes[range.lowerBound * 1000..<range.upperBound * 1000]))
            }
            for range in [2097..<2098, 2500..<2501, 0..<3200] {
                let error = pawlError { _ = try rows(range, reader, entry) }
                #expect(error?.code == .corrupt)
                #expect(error?.message.contains(object.hex) == true)
            }
        }
    }

    @Test("rows that are not there, memory of another size and unknown tensors are errors")
    func refused() throws {
        try withTemporaryDirectory { directory in
            let (reader, _, entry) = try trained(directory)
            let memory = Scratch(1000).memory
            func code(_ rows: Range<Int>, _ name: String = "w", entry: Int) -> PawlError.Code? {
                pawlError { try reader.readRows(rows, entry: entry, name: name, into: memory) }?.code
            }
            #expect(code(3200..<3201, entry: entry) == .invalidArgument)
            #expect(code(-1..<0, entry: entry) == .invalidArgument)
            #expect(code(0..<2, entry: entry) == .invalidArgument)
            #expect(code(0..<1, "v", entry: entry) == .notFound)
            #expect(code(0..<1, entry: entry + 1) == .notFound)
        }
    }
}
