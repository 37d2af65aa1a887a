import Foundation
import PawlCore

/// A safetensors file in memory, cut into the blocks of the store.
final class WeightFile: Sendable {
    /// One block of a tensor.
    struct Block: Sendable {
        let tensor: Int
        let range: Range<Int>
        let dtype: DType
    }

    let name: String
    let blocks: [Block]
    /// Bytes of all blocks.
    let size: Int
    private let tensors: [Data]

    init(_ path: String) throws {
        let url = URL(filePath: path)
        name = url.lastPathComponent
        let data = try Data(contentsOf: url, options: .alwaysMapped)
        let layout = try SafetensorsLayout(size: data.count, name: name) { Array(data[$0]) }
        // Copies, so that every tensor is aligned and in memory.
        tensors = layout.tensors.map { Data(Array(data[$0.range])) }
        var blocks: [Block] = []
        for (index, entry) in layout.tensors.enumerated() {
            for block in 0..<Blocks.count(entry.range.count) {
                let range = Blocks.range(block, of: entry.range.count)
                blocks.append(Block(tensor: index, range: range, dtype: entry.dtype))
            }
        }
        self.blocks = blocks
        size = blocks.reduce(0) { $0 + $1.range.count }
    }

    func withBytes<R>(_ block: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let place = blocks[block]
        return try tensors[place.tensor].withUnsafeBytes {
            try body(UnsafeRawBufferPointer(rebasing: $0[place.range]))
        }
    }
}
