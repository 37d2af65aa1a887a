internal import PawlCore

/// How much may be asked of the models at once, and how much memory they may take.
public struct ServingLimits: Sendable, Hashable {
    /// The most sequences of one model that a step takes; at most 64, so that no answer depends on the others.
    public var width = 32
    /// The most sequences that wait; what comes beyond is refused (429).
    public var waiting = 512
    /// Memory for keys and values of the sequences in the works, in bytes.
    public var cacheBytes = min(2 << 30, MachineMemory.bytes / 8)
    /// Memory for the weights of all models that are held ready, in bytes.
    public var weightBytes = MachineMemory.bytes / 2
    /// The longest text, prompt and answer together, in tokens; less where the model was made for less.
    public var context = 32768
    /// The longest answer of a request that names no length, in tokens.
    public var answer = 1024

    /// The defaults.
    public init() {}
}
