internal import CLibCrypto

/// A SHA-256 digest: the name of everything that Pawl stores.
///
/// As text and in JSON it is 64 lower-case hexadecimal digits.
public struct Digest: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Number of bytes in a digest.
    public static let byteCount = 32

    private let words: (UInt64, UInt64, UInt64, UInt64)  // big-endian, so that comparing is lexicographic

    /// Makes a digest from exactly 32 bytes; nil for any other count.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (i, byte) in bytes.enumerated() { words[i / 8] = words[i / 8] << 8 | UInt64(byte) }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// Parses 64 lower-case hexadecimal digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        var high: UInt8?
        for unit in hex.utf8 {
            let nibble: UInt8
            switch unit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = unit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = unit - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let h = high {
                bytes.append(h << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        guard high == nil else { return nil }
        self.init(bytes: bytes)
    }

    /// The digest of a byte sequence.
    public init(of bytes: some ContiguousBytesLike) {
        var hasher = SHA256()
        bytes.withBytes { hasher.update($0) }
        self = hasher.finish()
    }

    /// The digest of a string's UTF-8 bytes.
    public init(of text: String) { self.init(of: Array(text.utf8)) }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { out, count in
            for index in 0..<Self.byteCount {
                out[index] = UInt8(truncatingIfNeeded: wordEnding(inByte: index))
            }
            count = Self.byteCount
        }
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        String(unsafeUninitializedCapacity: 2 * Self.byteCount) { out in
            for index in 0..<Self.byteCount {
                let byte = wordEnding(inByte: index)
                out[2 * index] = Self.digit(byte >> 4 & 15)
                out[2 * index + 1] = Self.digit(byte & 15)
            }
            return 2 * Self.byteCount
        }
    }

    /// A word that ends in byte `index`.
    private func wordEnding(inByte index: Int) -> UInt64 {
        let word =
            switch index / 8 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return word >> UInt64(56 - 8 * (index % 8))
    }

    private static func digit(_ nibble: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: nibble) + (nibble < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
    }

    /// The first 12 hexadecimal digits: the form people read.
    public var short: String { String(hex.prefix(12)) }

    public var description: String { hex }

    public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }
    public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let digest = Digest(hex: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not a SHA-256 digest (64 hexadecimal digits)"
            )
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

/// Bytes that lie in one piece of memory; what hashing and writing take.
public protocol ContiguousBytesLike {
    /// Calls `body` with the bytes; the pointer must not escape.
    func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R
}

extension Array: ContiguousBytesLike where Element == UInt8 {
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeBytes(body)
    }
}

extension UnsafeRawBufferPointer: ContiguousBytesLike {
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try body(self) }
}

/// Incremental SHA-256 by libcrypto, which uses the processor's SHA instructions where it has them.
public struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Starts an empty hash.
    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("libcrypto: out of memory") }
        self.context = context
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "libcrypto has no SHA-256")
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Appends bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress, !bytes.isEmpty { EVP_DigestUpdate(context, base, bytes.count) }
    }

    /// Appends bytes.
    public mutating func update(_ bytes: some ContiguousBytesLike) {
        bytes.withBytes { update($0) }
    }

    /// Ends the hash.
    public consuming func finish() -> Digest {
        var out = [UInt8](repeating: 0, count: Digest.byteCount)
        EVP_DigestFinal_ex(context, &out, nil)
        return Digest(bytes: out).unsafelyUnwrapped
    }
}
