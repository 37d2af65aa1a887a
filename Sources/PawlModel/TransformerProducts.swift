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
        if rows <= fewRows {
            let w = try rounded.map { UnsafeRawPointer($0.at(weight)) } ?? UnsafeRawPointer(full().at(weight))
            let type = rounded == nil ? PAWL_F32 : PAWL_BF16
            pawl_small_product(pool.handle, c, out, a, size, w, type, rows, out, size, add)
            return
        }
        if let frozen {
            return try widened(frozen.rounded.at(weight), out: out, in: size) { w, first, count in
                try check(
                    pawl_product(
                        pool.handle, c + first, out, a, size, false, w, size, true, PAWL_F32, rows, count,
                        size,
                        add), "product")
            }
        }
        guard precision == .bf16, let rounded else {
            return try check(
                pawl_product(
                    pool.handle, c, out, a, size, false, full().at(weight), size, true, PAWL_F32, rows,
                    out, size, add), "product")
        }
        try withRounded(a, rows * size) { a in
            try check(
                pawl_product(
                    pool.handle, c, out, a, size, false, rounded.at(weight), size, true, PAWL_BF16, rows, out,
                    size, add), "product")
        }
    }

    /// The weights in fp32, which gradients need.
    private func full() throws -> Parameters {
        guard let parameters else { throw PawlError(.internalError, "frozen weights do not learn") }
        return parameters
    }

    /// Numbers of a weight that are fp32 at a time: the matrices of a layer of 135 million weights, whole.
    static let windowNumbers = 1 << 21

    /// Rows of a frozen weight W[out, in] in fp32, as many at a time as the window holds: the pointer to them, the number
    /// of the first, and how many.
    private func widened(
        _ weight: UnsafePointer<UInt16>, out: Int, in size: Int,
        _ body: (UnsafePointer<Float>, Int, Int) throws -> Void
    ) throws {
        try window.withLock { window in
            if window.count < size { window = FloatBuffer(size) }
            let rows = window.count / size
            for first in stride(from: 0, to: out, by: rows) {
                let count = min(rows, out - first)
                pawl_f32_from_bf16(pool.handle, window.pointer, weight + first * size, count * size)
                try body(window.pointer, first, count)
            }
        }
    }

    /// Up to so many rows, reading the weights is much of what a product costs, and the kernel for it wins; sooner where
    /// the library multiplies bf16 faster than fp32.
    private var fewRows: Int { precision == .bf16 ? 16 : 64 }

    /// The way back through a product: dW[out, in] += dYᵀ · X, and dX[rows, in] = dY · W, from dY [rows, out] and X
    /// [rows, in]. dX may be X.
    func productBackward(
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
    /// with their gradient; the projection's is added to `gradients`.
    public func outputBackward(
        _ dlogits: UnsafePointer<Float>, _ hidden: UnsafeMutablePointer<Float>, rows: Int,
        into gradients: Parameters
    ) throws {
        try productBackward(
            layout.output, dy: dlogits, x: hidden, dx: hidden, rows: rows,
            out: configuration.vocabularySize, in: configuration.hiddenSize, into: gradients)
    }
}
