internal import CCodec
internal import Foundation
internal import FuzzDriver
internal import PawlCore

@testable import PawlRecords
@testable import PawlStore

/// A reader or decoder that takes any bytes: it gives a value or throws a `PawlError`, and touches nothing else.
enum Target: String, CaseIterable {
    /// The header of a safetensors file.
    case safetensors
    /// Payload of a block on its own, all codecs and types.
    case full
    /// Payload of a block beside a base.
    case delta
    /// Any bytes as a block, with and without a base: written and read again.
    case roundTrip = "round-trip"
    /// A low-rank update of any words.
    case fold
    /// The head of a tensor's object.
    case head
    /// The manifest of a tree.
    case tree
    /// An entry of the journal, and the manifest of a checkpoint.
    case journal
    /// JSON as every reader above takes it.
    case json

    func run(_ data: UnsafeRawBufferPointer) {
        do {
            switch self {
            case .safetensors: try Self.safetensors(data)
            case .full: try Self.decode(data, isDelta: false)
            case .delta: try Self.decode(data, isDelta: true)
            case .roundTrip: try Self.roundTrip(data)
            case .fold: Self.fold(data)
            case .head: try Self.head(data)
            case .tree: try Self.tree(data)
            case .journal: Self.journal(data)
            case .json: try Self.json(data)
            }
        } catch let error as PawlError {
            // A decoder has no other error than damage: its caller tells users to look at the store.
            if self == .full || self == .delta { precondition(error.code == .corrupt, "\(error)") }
            precondition(self != .roundTrip, "\(error)")
        } catch {
            preconditionFailure("\(error) is no PawlError")
        }
    }

    private static func safetensors(_ data: UnsafeRawBufferPointer) throws {
        let layout = try SafetensorsLayout(size: data.count, name: "file") {
            Array(data[$0.clamped(to: 0..<data.count)])
        }
        var end = layout.headerSize
        for tensor in layout.tensors {
            precondition(
                tensor.range.lowerBound == end
                    && tensor.dtype.byteCount(shape: tensor.shape) == tensor.range.count)
            end = tensor.range.upperBound
        }
        precondition(end == data.count)
    }

    /// libFuzzer calls on one thread.
    nonisolated(unsafe) private static let coders: [any BlockCoder] = {
        let codecs: [any TensorCodec] = [FieldCodec(), PlaneCodec()]
        return codecs.compactMap { try? $0.makeCoder() }
    }()

    /// What the first bytes of an input choose, and the rest.
    private static func choose(_ data: UnsafeRawBufferPointer) -> (
        DType, any BlockCoder, Int, UnsafeRawBufferPointer
    )? {
        guard data.count >= 4 else { return nil }
        let types = DType.allCases
        let number = Int(data[2]) | Int(data[3]) << 8
        return (
            types[Int(data[0]) % types.count], coders[Int(data[1]) % coders.count], number,
            UnsafeRawBufferPointer(rebasing: data[4...])
        )
    }

    /// Bytes of their own on the heap, so that a byte beside them is seen.
    private static func copy(_ count: Int, _ byte: (Int) -> UInt8) -> UnsafeMutableRawBufferPointer {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
        for index in 0..<count { room[index] = byte(index) }
        return room
    }

    private static func decode(_ data: UnsafeRawBufferPointer, isDelta: Bool) throws {
        guard let (dtype, coder, count, payload) = choose(data),
            let size = dtype.byteCount(shape: [count]), size <= 1 << 16
        else { return }
        let block = copy(size) { UInt8(truncatingIfNeeded: $0 &* 167 >> 3) }
        let input = copy(payload.count) { payload[$0] }
        defer {
            block.deallocate()
            input.deallocate()
        }
        if isDelta {
            try coder.decodeDelta(UnsafeRawBufferPointer(input), dtype: dtype, onto: block)
        } else {
            try coder.decodeFull(UnsafeRawBufferPointer(input), dtype: dtype, into: block)
        }
    }

    private static func roundTrip(_ data: UnsafeRawBufferPointer) throws {
        guard let (dtype, coder, number, rest) = choose(data) else { return }
        let width = max(1, dtype.bits / 8)
        let size = rest.count / 2 / width * width
        let block = copy(size) { rest[$0] }
        let base = copy(size) { rest[size + $0] }
        let result = copy(size) { base[$0] }
        defer { for room in [block, base, result] { room.deallocate() } }
        let raw = UnsafeRawBufferPointer(block)
        let encoded = try coder.encode(
            raw, dtype: dtype, base: number % 3 == 0 ? nil : UnsafeRawBufferPointer(base))
        try encoded.payload.withUnsafeBytes { payload in
            switch encoded.encoding {
            case .raw: result.copyMemory(from: payload)
            case .same: break
            case .full: try coder.decodeFull(payload, dtype: dtype, into: result)
            case .delta: try coder.decodeDelta(payload, dtype: dtype, onto: result)
            case .folded: preconditionFailure("no coder folds")
            }
        }
        precondition(raw.equals(UnsafeRawBufferPointer(result)), "a block did not survive")
    }

    private static func fold(_ data: UnsafeRawBufferPointer) {
        guard data.count >= 8 else { return }
        let (rank, form) = (1 + Int(data[0] % 5), pawl_float(rawValue: UInt32(data[1] % 3)))
        let width = form == PAWL_F32 ? 4 : 2
        let scale = data.loadUnaligned(fromByteOffset: 4, as: Float.self)
        let numbers = UnsafeRawBufferPointer(rebasing: data[8...])
        let columns = numbers.count / (4 * (rank + 1) + width)
        guard columns > 0 else { return }
        let words = copy(columns * width) { numbers[$0] }
        let a = copy(columns * rank * 4) { numbers[columns * width + $0] }
        let b = copy(rank * 4) { numbers[columns * width + columns * 4 + $0 % (columns * 4)] }
        defer { for room in [words, a, b] { room.deallocate() } }
        let (factors, row) = (a.assumingMemoryBound(to: Float.self), b.assumingMemoryBound(to: Float.self))
        let expected =
            form == PAWL_F32 ? (0..<columns).map { plain($0, words, factors, row, columns, rank, scale) } : []
        pawl_fold(
            words.baseAddress, columns, form, factors.baseAddress, columns, row.baseAddress, rank, scale)
        for (column, value) in expected.enumerated() {
            let bits = words.loadUnaligned(fromByteOffset: 4 * column, as: UInt32.self)
            precondition(bits == (value.isNaN ? 0x7FC0_0000 : value.bitPattern), "column \(column)")
        }
    }

    private static func plain(
        _ column: Int, _ words: UnsafeMutableRawBufferPointer, _ a: UnsafeMutableBufferPointer<Float>,
        _ b: UnsafeMutableBufferPointer<Float>, _ columns: Int, _ rank: Int, _ scale: Float
    ) -> Float {
        var sum = b[0] * a[column]
        for k in 1..<max(rank, 1) {
            let product = b[k] * a[k * columns + column]
            sum += product
        }
        return words.loadUnaligned(fromByteOffset: 4 * column, as: Float.self) + scale * sum
    }

    /// A file in memory, written anew for each input.
    private static let file: (descriptor: Int32, path: String) = {
        let descriptor = fuzz_memory_file()
        precondition(descriptor >= 0, "no file in memory")
        return (descriptor, "/proc/self/fd/\(descriptor)")
    }()

    private static func head(_ data: UnsafeRawBufferPointer) throws {
        precondition(ftruncate(file.descriptor, 0) == 0)
        precondition(pwrite(file.descriptor, data.baseAddress, data.count, 0) == data.count)
        let (head, payload) = try TensorHead.read(FileReader(file.path), object: Digest(of: data))
        precondition(payload <= data.count && head.blocks.count == Blocks.count(head.byteCount))
        _ = try head.encoded()
    }

    private static func tree(_ data: UnsafeRawBufferPointer) throws {
        let manifest = try JSON.decode(TreeManifest.self, from: Array(data), source: "tree")
        let again = try JSON.decode(TreeManifest.self, from: JSON.canonical(manifest), source: "tree")
        precondition(again == manifest)
        _ = manifest.pieces
    }

    private static func journal(_ data: UnsafeRawBufferPointer) {
        let name = Digest(of: data)
        _ = try? JournalEntry(document: Array(data), name: name)
        _ = try? RecordDocument.checkpoint.decode(CheckpointManifest.self, from: Array(data), name: name)
    }

    private static func json(_ data: UnsafeRawBufferPointer) throws {
        let value = try JSON.parse(Array(data), source: "text")
        let text = try JSON.canonical(value)
        let again = try JSON.canonical(JSON.parse(text, source: "text"))
        precondition(again == text)
    }
}
