public import CKernels
internal import PawlCore

/// The threads that run the kernels, and a failed kernel as an error.
public final class ComputePool: @unchecked Sendable {
    /// The C handle; a pool serves one call at a time, whoever calls.
    public let handle: OpaquePointer

    /// Starts threads: as many as the process has processors when `threads` is 0.
    public init(threads: Int = 0) throws {
        guard let handle = pawl_pool_create(Int32(threads), PAWL_ISA_BEST) else {
            throw PawlError(.internalError, "no threads could be started for the model's arithmetic")
        }
        self.handle = handle
    }

    deinit { pawl_pool_destroy(handle) }

    /// Threads that work, the caller's counted.
    public var threads: Int { Int(pawl_pool_threads(handle)) }

    /// What the kernels were compiled for: "baseline", "avx2" or "avx512".
    public var instructionSet: String { Self.name(pawl_pool_isa(handle)) }

    /// The instruction set of every pool on this machine, known without starting one.
    public static var bestInstructionSet: String {
        name([PAWL_ISA_AVX512, PAWL_ISA_AVX2].first(where: pawl_isa_available) ?? PAWL_ISA_BASELINE)
    }

    private static func name(_ set: pawl_isa) -> String {
        switch set {
        case PAWL_ISA_AVX512: "avx512"
        case PAWL_ISA_AVX2: "avx2"
        default: "baseline"
        }
    }
}

/// Throws what a kernel says went wrong; `what` was being done.
public func check(_ status: pawl_status, _ what: @autoclosure () -> String) throws {
    switch status {
    case PAWL_OK: return
    case PAWL_OUT_OF_RANGE:
        throw PawlError(.invalidArgument, "\(what()): a token lies outside the model's vocabulary")
    case PAWL_OUT_OF_MEMORY: throw PawlError(.internalError, "\(what()): out of memory")
    default: throw PawlError(.internalError, "\(what()): the matrix library refused the product")
    }
}
