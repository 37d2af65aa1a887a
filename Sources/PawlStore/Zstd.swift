internal import CZstd
internal import PawlCore

/// libzstd with contexts that are kept from block to block; for one thread.
final class Zstd {
    /// How to look for redundancy.
    enum Strategy {
        /// Entropy coding alone: best for planes of floats, where matches are chance (docs/format.md).
        case entropy
        /// The same with a table for every 64 KiB at most.
        case entropyInSmallBlocks
        /// Matches too, at a level.
        case matches(level: Int32)

        /// Values for libzstd: level; 1 (enabled) for literals that are compressed at negative levels too; the
        /// logarithm of the window, which no block is larger than, 0 for what the level says.
        fileprivate var settings: (level: Int32, literals: Int32, window: Int32) {
            switch self {
            case .entropy: (ZSTD_minCLevel(), 1, 0)
            case .entropyInSmallBlocks: (ZSTD_minCLevel(), 1, 16)
            case .matches(let level): (level, 0, 0)
            }
        }
    }

    private let compressor: OpaquePointer
    private let decompressor: OpaquePointer

    init() throws {
        guard let compressor = ZSTD_createCCtx() else {
            throw PawlError(.io, "libzstd cannot allocate a compression context")
        }
        guard let decompressor = ZSTD_createDCtx() else {
            ZSTD_freeCCtx(compressor)
            throw PawlError(.io, "libzstd cannot allocate a decompression context")
        }
        self.compressor = compressor
        self.decompressor = decompressor
    }

    deinit {
        ZSTD_freeCCtx(compressor)
        ZSTD_freeDCtx(decompressor)
    }

    /// Compresses into `output`, which holds ``bound(_:)`` bytes or more; returns the size.
    func compress(
        _ source: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, _ strategy: Strategy
    ) throws -> Int {
        let settings = strategy.settings
        for (parameter, value) in [
            (ZSTD_c_compressionLevel, settings.level), (ZSTD_c_experimentalParam5, settings.literals),
            (ZSTD_c_windowLog, settings.window),
        ] {
            let status = ZSTD_CCtx_setParameter(compressor, parameter, value)
            guard ZSTD_isError(status) == 0 else { throw Self.failure("set a parameter", status) }
        }
        let count = ZSTD_compress2(
            compressor, output.baseAddress, output.count, source.baseAddress, source.count)
        guard ZSTD_isError(count) == 0 else { throw Self.failure("compress", count) }
        return count
    }

    /// Room that compressing so many bytes may need.
    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// Decompresses frames, one after the other, that must fill `output` exactly.
    func decompress(_ frame: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
        let count = ZSTD_decompressDCtx(
            decompressor, output.baseAddress, output.count, frame.baseAddress, frame.count)
        guard ZSTD_isError(count) == 0 else {
            throw PawlError(
                .corrupt, "a compressed block is damaged: \(String(cString: ZSTD_getErrorName(count)))")
        }
        guard count == output.count else {
            throw PawlError(
                .corrupt, "a compressed block is damaged: \(count) bytes instead of \(output.count)")
        }
    }

    private static func failure(_ what: String, _ status: Int) -> PawlError {
        PawlError(.internalError, "libzstd cannot \(what): \(String(cString: ZSTD_getErrorName(status)))")
    }
}
