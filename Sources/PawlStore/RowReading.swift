internal import PawlCore

extension TreeReader {
    /// Restores rows of a tensor straight into the caller's memory, on all processors.
    ///
    /// Of the tensor and what it is a difference to, only the blocks that hold a part of the rows are read; each is
    /// compared with its digest, and there is no copy of the tensor in between. The bytes are the elements as they stand in the file (little-endian, row-major). After an
    /// error the memory holds anything.
    ///
    /// - Parameters:
    ///   - rows: places along the first extent; 0..<1 for a scalar.
    ///   - entry: index of the file in the manifest.
    ///   - name: name of the tensor in it.
    ///   - buffer: memory of exactly so many bytes, best aligned to 8; `invalidArgument` for another size, and for
    ///     rows that the tensor does not have.
    public func readRows(
        _ rows: Range<Int>, entry: Int, name: String, into buffer: UnsafeMutableRawBufferPointer
    ) throws {
        let piece = try piece(entry: entry, tensor: name)
        let bytes = try piece.bytes(rows: rows)
        guard buffer.count == bytes.count else {
            throw PawlError(
                .invalidArgument,
                "\(piece.name.escaped): \(rows.count) rows are \(bytes.count) bytes, the buffer has \(buffer.count)"
            )
        }
        try locked { session in
            do {
                try ReadSession(store, checksObjects: false).reader(piece).read(bytes, into: buffer)
            } catch is PawlError {
                // Now with a look at whole objects: that tells which one is damaged, or finds a way around it.
                try session.named(piece).read(bytes, into: buffer)
            }
        }
    }

    /// Restores a tensor straight into the caller's memory, which has exactly its size, on all processors.
    public func read(entry: Int, name: String, into buffer: UnsafeMutableRawBufferPointer) throws {
        let piece = try piece(entry: entry, tensor: name)
        try readRows(0..<(piece.shape.first ?? 1), entry: entry, name: name, into: buffer)
    }
}

extension TreeManifest.Piece {
    /// Where rows along the first extent lie among the bytes; `invalidArgument` when there are no such rows.
    fileprivate func bytes(rows: Range<Int>) throws -> Range<Int> {
        let count = shape.first ?? 1
        guard rows.lowerBound >= 0, rows.upperBound <= count else {
            throw PawlError(
                .invalidArgument,
                "\(name.escaped) has rows 0..<\(count), not \(rows.lowerBound)..<\(rows.upperBound)")
        }
        let row = count > 0 ? byteCount / count : 0
        // Elements of less than a byte may begin a row in the middle of one.
        guard row * count == byteCount else {
            throw PawlError(.invalidArgument, "\(name.escaped): its rows do not begin at whole bytes")
        }
        return rows.lowerBound * row..<rows.upperBound * row
    }
}

extension TensorReader {
    /// Restores bytes `range` of the tensor into memory of that size, on all processors, reading only their blocks.
    func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard !range.isEmpty else { return }
        let first = range.lowerBound / Blocks.size
        let count = (range.upperBound - 1) / Blocks.size + 1 - first
        let target = SharedMemory(buffer)
        try Worker.run(count) { index, worker in
            let block = Blocks.range(first + index, of: head.byteCount)
            let wanted = block.clamped(to: range)
            let place = target.part(wanted.lowerBound - range.lowerBound, wanted.count)
            if wanted == block, place.isAlignedForElements {
                return try readBlock(first + index, into: place, worker)
            }
            let whole = worker.block.prefix(block.count)
            try readBlock(first + index, into: whole, worker)
            let part = wanted.lowerBound - block.lowerBound..<wanted.upperBound - block.lowerBound
            place.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[part]))
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Whether elements of every type may stand at its beginning.
    fileprivate var isAlignedForElements: Bool { UInt(bitPattern: baseAddress) % 8 == 0 }
}

/// Memory that several threads fill, each its own part.
struct SharedMemory: @unchecked Sendable {
    private let memory: UnsafeMutableRawBufferPointer

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    func part(_ offset: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + count])
    }
}
