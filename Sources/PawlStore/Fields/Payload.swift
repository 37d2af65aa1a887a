internal import PawlCore

/// Bytes of a payload of codec `fields`, as they are written.
struct PayloadWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func append(_ number: UInt16) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ number: UInt32) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Bytes as they are.
    mutating func append(_ raw: UnsafeRawBufferPointer) { bytes.append(contentsOf: raw) }

    /// A stream: method, length, bytes.
    mutating func appendStream(_ method: StreamMethod, _ stream: UnsafeRawBufferPointer) {
        append(method.rawValue)
        append(UInt32(stream.count))
        append(stream)
    }
}

/// How a stream of a payload is written.
enum StreamMethod: UInt8 {
    case raw = 0
    /// zstd frames, one after the other.
    case zstd = 1
}

/// Reads a payload from its beginning; throws `corrupt` where it ends too early.
struct PayloadReader {
    private var rest: UnsafeRawBufferPointer

    init(_ payload: UnsafeRawBufferPointer) { rest = payload }

    mutating func byte() throws -> UInt8 { try take(1)[0] }

    mutating func number16() throws -> Int {
        Int(UInt16(littleEndian: try take(2).loadUnaligned(as: UInt16.self)))
    }

    mutating func number32() throws -> Int {
        Int(UInt32(littleEndian: try take(4).loadUnaligned(as: UInt32.self)))
    }

    /// The next bytes as they are.
    mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count <= rest.count else { throw Self.damaged("it ends too early") }
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
        return UnsafeRawBufferPointer(rebasing: rest[..<count])
    }

    /// A stream of `count` bytes: where it stands in the payload, or in `scratch` when it is compressed.
    mutating func stream(_ count: Int, _ zstd: Zstd, _ scratch: Scratch) throws -> UnsafeRawBufferPointer {
        guard let method = StreamMethod(rawValue: try byte()) else {
            throw Self.damaged("a stream has no known method")
        }
        let stream = try take(try number32())
        switch method {
        case .raw:
            guard stream.count == count else { throw Self.damaged("a stream has a wrong length") }
            return stream
        case .zstd:
            // libzstd accepts no bytes as no frames.
            let target = scratch.prefix(count)
            try zstd.decompress(stream, into: target)
            return UnsafeRawBufferPointer(target)
        }
    }

    /// Nothing may follow.
    func end() throws {
        guard rest.isEmpty else { throw Self.damaged("bytes after its end") }
    }

    static func damaged(_ what: String) -> PawlError { PawlError(.corrupt, "a block is damaged: \(what)") }
}
