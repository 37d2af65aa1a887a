internal import CKernels
internal import PawlCore
internal import Synchronization

/// The products with weights, forward and backward, in the decoder's precision.
extension Transformer {
    /// C[rows, out] (+)= A[rows, in] · Wᵀ for the weight at an offset of the layout.
    func product(
        _ c: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ weight: Int, rows: Int, out: Int,
        in size: Int, add: Bool = false
    ) throws {
        if update?.changes(weight) == true {
            return try windowed(weight, 0..<out, in: size) { w, first, count in
                try check(
                    pawl_product(
                        pool.handle, c + first, out, a, size, false, w, size, true, PAWL_F32, rows, count,
                        size, add), "product")
            }
        }
        if rows <= fewRows {
            let (w, type) = try stored(weight)
            pawl_small_product(pool.handle, c, out, a, size, w, type, rows, out, size, add)
            return
        }
        if frozen != nil || shared?.isRounded == true {
            return try windowed(weight, 0..<out, in: size) { w, first, count in
                try check(
                    pawl_product(
                        pool.handle, c + first, out, a, size, false, w, size, true, PAWL_F32, rows, count,
                        size,
                        add), "product")
            }
        }
        guard precision == .bf16, let rounded else {
            let w = try shared?.at(weight).bytes ?? UnsafeRawPointer(full().at(weight))
            return try check(
                pawl_product(
                    pool.handle, c, out, a, size, false, w, size, true, PAWL_F32, rows, out, size, add),
                "product")
        }
        try withRounded(a, rows * size) { a in
            try check(
                pawl_product(
                    pool.handle, c, out, a, size, false, rounded.at(weight), size, true, PAWL_BF16, rows, out,
                    size, add), "product")
        }
    }

    /// Where a weight lies that a product of few rows reads, and in which numbers.
    private func stored(_ weight: Int) throws -> (UnsafeRawPointer, pawl_type) {
        if let shared {
            let (bytes, isRounded) = shared.at(weight)
            return (bytes, isRounded ? PAWL_BF16 : PAWL_F32)
        }
        if let rounded { return (UnsafeRawPointer(rounded.at(weight)), PAWL_BF16) }
        return (UnsafeRawPointer(try full().at(weight)), PAWL_F32)
    }

    /// The weights in fp32, which gradients need.
    private func full() throws -> Parameters {
        guard let parameters else { throw PawlError(.internalError, "frozen weights do not learn") }
        return parameters
    }

    /// Numbers of a weight that are fp32 at a time: the matrices of a layer of 135 million weights, whole.
    static let windowNumbers = 1 << 21

    /// Rows of the weight W[.., in] at an offset of the layout in fp32, with what the update adds, as many at a time as
    /// the window holds: the pointer to them, the number of the first, and how many.
    private func windowed(
        _ weight: Int, _ rows: Range<Int>, in size: Int,
        _ body: (UnsafePointer<Float>, Int, Int) throws -> Void
    ) throws {
        try window.withLock { window in
            if window.count < size { window = FloatBuffer(size) }
            let most = window.count / size
            for first in stride(from: rows.lowerBound, to: rows.upperBound, by: most) {
                let count = min(most, rows.upperBound - first)
                if frozen != nil || shared != nil {
                    let numbers = try stored(weight).0.assumingMemoryBound(to: UInt16.self) + first * size
                    pawl_f32_from_bf16(pool.handle, window.pointer, numbers, count * size)
                } else {
                    window.pointer.update(from: try full().at(weight) + first * size, count: count * size)
                }
                try update?.add(to: window.pointer, rows: first..<first + count, of: weight, pool)
                try body(window.pointer, first, count)
            }
        }
    }

    /// Every weight that the update changes, as it makes it, in pieces: the index of the first number in the layout, the
    /// numbers, and how many.
    public func forEachUpdated(_ body: (Int, UnsafePointer<Float>, Int) throws -> Void) throws {
        for module in update?.factors.layout.modules ?? [] {
            let matrix = module.weight - module.firstRow * module.in
            let rows = module.firstRow..<module.firstRow + module.out
            try windowed(matrix, rows, in: module.in) { numbers, first, count in
                try body(matrix + first * module.in, numbers, count * module.in)
            }
        }
    }

    /// Up to so many rows, reading the weights is much of what a product costs, and the kernel for it wins; sooner where
    /// the library multiplies bf16 faster than fp32.
    private var fewRows: Int { precision == .bf16 ? 16 : 64 }

    /// Up to so many rows together, no row's result depends on the others: 0 where the weights have an update, which is
    /// multiplied as products of many rows are.
    var independentRows: Int { update == nil ? fewRows : 0 }

    /// The way back through a product: the gradient of what learns, and dX[rows, in] = dY · W, from dY [rows, out] and X
    /// [rows, in]. dX may be X.
    func productBackward(
        _ weight: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
        rows: Int, out: Int, in size: Int, into gradients: Gradients
    ) throws {
        switch gradients {
        case .weights(let parameters):
            try productBackward(
                weight, dy: dy, x: x, dx: dx, rows: rows, out: out, in: size, into: parameters)
        case .factors(let factors):
            try update?.backward(
                weight, dy: dy, x: x, rows: rows, out: out, in: size, into: factors, pool)
            try inputBackward(weight, dy: dy, dx: dx, rows: rows, out: out, in: size)
        }
    }

    /// dX[rows, in] = dY · W alone.
    private func inputBackward(
        _ weight: Int, dy: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>, rows: Int, out: Int,
        in size: Int
    ) throws {
        func multiply(_ w: UnsafePointer<Float>, _ first: Int, _ count: Int) throws {
            try check(
                pawl_product(
                    pool.handle, dx, size, dy + first, out, false, w, size, false, PAWL_F32, rows, size,
                    count, first > 0), "product")
        }
        if frozen == nil, update?.changes(weight) != true { return try multiply(full().at(weight), 0, out) }
        try windowed(weight, 0..<out, in: size, multiply)
    }

    /// dW[out, in] += dYᵀ · X, and dX[rows, in] = dY · W.
    private func productBackward(
        _ weight: Int, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
        rows: Int, out: Int, in size: Int, into gradients: Parameters
    ) throws {
        let dw = gradients.at(weight)
        func multiply(_ dy: UnsafeRawPointer, _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ type: pawl_type)
            throws
        {
            try check(
                pawl_product(
                    pool.handle, dw, size, dy, out, true, x, size, false, type, out, size, rows, true),
                "product")
            try check(
                pawl_product(
                    pool.handle, dx, size, dy, out, false, w, size, false, type, rows, size, out, false),
                "product")
        }
        guard precision == .bf16, let rounded else {
            return try multiply(dy, x, full().at(weight), PAWL_F32)
        }
        try withRounded(dy, rows * out) { dy in
            try withRounded(x, rows * size) { x in try multiply(dy, x, rounded.at(weight), PAWL_BF16) }
        }
    }

    /// Numbers rounded to bf16, for the call.
    private func withRounded(
        _ numbers: UnsafePointer<Float>, _ count: Int, _ body: (UnsafePointer<UInt16>) throws -> Void
    ) rethrows {
        let rounded = UnsafeMutablePointer<UInt16>.allocate(capacity: max(count, 1))
        defer { rounded.deallocate() }
        pawl_bf16_from_f32(pool.handle, rounded, numbers, count)
        try body(rounded)
    }

    /// Logits [rows, V] of hidden states [rows, D].
    public func logits(_ hidden: UnsafePointer<Float>, rows: Int, into logits: UnsafeMutablePointer<Float>)
        throws
    {
        try product(
            logits, hidden, layout.output, rows: rows, out: configuration.vocabularySize,
            in: configuration.hiddenSize)
    }

    /// The way back through the output projection: from dlogits [R, V] and hidden states [R, D], which are overwritten
    /// with their gradient; the projection's is added to `gradients` where all weights learn.
    public func outputBackward(
        _ dlogits: UnsafePointer<Float>, _ hidden: UnsafeMutablePointer<Float>, rows: Int,
        into gradients: Gradients
    ) throws {
        try productBackward(
            layout.output, dy: dlogits, x: hidden, dx: hidden, rows: rows,
            out: configuration.vocabularySize, in: configuration.hiddenSize, into: gradients)
    }
}
