/// Where the blocks of a tensor are worked on: all by one thread, beside other tensors, or on all processors.
enum BlockRunner {
    case one(Worker)
    case all(memoryLimit: Int)

    /// What `body` makes of 0..<count, in order.
    func map<Value: Sendable>(_ count: Int, _ body: @Sendable (Int, Worker) throws -> Value) throws -> [Value]
    {
        switch self {
        case .one(let worker):
            return try (0..<count).map { try body($0, worker) }
        case .all(let memoryLimit):
            let values = Collected<Value>(count)
            try Worker.run(count, memoryLimit: memoryLimit) { values[$0] = try body($0, $1) }
            return values.all
        }
    }
}
