internal import PawlCore

/// How elements of a type are taken apart into byte planes and put together again.
///
/// A plane holds the n-th byte (from the low end) of every element's word; plane 0 comes first.
struct ElementForm {
    private enum Word { case byte, two, four, eight }
    private let word: Word
    private let isFloat: Bool

    /// Bytes of an element, and so the number of planes.
    let width: Int

    init(_ dtype: DType) {
        switch dtype {
        case .bool, .f4, .f6e2m3, .f6e3m2, .u8, .i8, .f8e5m2, .f8e4m3, .f8e5m2fnuz, .f8e4m3fnuz, .f8e8m0:
            (word, width, isFloat) = (.byte, 1, false)
        case .i16, .u16: (word, width, isFloat) = (.two, 2, false)
        case .f16, .bf16: (word, width, isFloat) = (.two, 2, true)
        case .i32, .u32: (word, width, isFloat) = (.four, 4, false)
        case .f32, .c64: (word, width, isFloat) = (.four, 4, true)
        case .i64, .u64: (word, width, isFloat) = (.eight, 8, false)
        case .f64: (word, width, isFloat) = (.eight, 8, true)
        }
    }

    /// Takes a block apart on its own.
    func splitFull(_ block: UnsafeRawBufferPointer, into planes: UnsafeMutableRawBufferPointer) {
        switch word {
        case .byte: planes.copyMemory(from: block)
        case .two: Self.splitFull(UInt16.self, isFloat, block, planes)
        case .four: Self.splitFull(UInt32.self, isFloat, block, planes)
        case .eight: Self.splitFull(UInt64.self, isFloat, block, planes)
        }
    }

    /// Puts a block together that ``splitFull(_:into:)`` took apart.
    func joinFull(_ planes: UnsafeRawBufferPointer, into block: UnsafeMutableRawBufferPointer) {
        switch word {
        case .byte: block.copyMemory(from: planes)
        case .two: Self.joinFull(UInt16.self, isFloat, planes, block)
        case .four: Self.joinFull(UInt32.self, isFloat, planes, block)
        case .eight: Self.joinFull(UInt64.self, isFloat, planes, block)
        }
    }

    /// Takes the difference to a base apart.
    func splitDelta(
        _ block: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer,
        into planes: UnsafeMutableRawBufferPointer
    ) {
        switch word {
        case .byte: Self.splitDelta(UInt8.self, isFloat, block, base, planes)
        case .two: Self.splitDelta(UInt16.self, isFloat, block, base, planes)
        case .four: Self.splitDelta(UInt32.self, isFloat, block, base, planes)
        case .eight: Self.splitDelta(UInt64.self, isFloat, block, base, planes)
        }
    }

    /// Adds a difference to the base that stands in `block`.
    func joinDelta(_ planes: UnsafeRawBufferPointer, onto block: UnsafeMutableRawBufferPointer) {
        switch word {
        case .byte: Self.joinDelta(UInt8.self, isFloat, planes, block)
        case .two: Self.joinDelta(UInt16.self, isFloat, planes, block)
        case .four: Self.joinDelta(UInt32.self, isFloat, planes, block)
        case .eight: Self.joinDelta(UInt64.self, isFloat, planes, block)
        }
    }
}

// The hot loops. Blocks and planes lie in `Scratch` memory, which is aligned for every word; `isFloat` is
// tested outside the loops so that each one vectorises.
extension ElementForm {
    private static func splitFull<W: PlaneWord>(
        _: W.Type, _ isFloat: Bool, _ block: UnsafeRawBufferPointer, _ planes: UnsafeMutableRawBufferPointer
    ) {
        let words = block.assumingMemoryBound(to: W.self)
        if isFloat {
            split(words.count, planes) { W(littleEndian: words[$0]).rotatedLeft }
        } else {
            split(words.count, planes) { W(littleEndian: words[$0]) }
        }
    }

    private static func joinFull<W: PlaneWord>(
        _: W.Type, _ isFloat: Bool, _ planes: UnsafeRawBufferPointer, _ block: UnsafeMutableRawBufferPointer
    ) {
        let words = block.assumingMemoryBound(to: W.self)
        if isFloat {
            join(words.count, planes) { words[$0] = ($1 as W).rotatedRight.littleEndian }
        } else {
            join(words.count, planes) { words[$0] = ($1 as W).littleEndian }
        }
    }

    private static func splitDelta<W: PlaneWord>(
        _: W.Type, _ isFloat: Bool, _ block: UnsafeRawBufferPointer, _ base: UnsafeRawBufferPointer,
        _ planes: UnsafeMutableRawBufferPointer
    ) {
        let (new, old) = (block.assumingMemoryBound(to: W.self), base.assumingMemoryBound(to: W.self))
        if isFloat {
            split(new.count, planes) {
                (W(littleEndian: new[$0]).ordered &- W(littleEndian: old[$0]).ordered).zigzag
            }
        } else {
            split(new.count, planes) { (W(littleEndian: new[$0]) &- W(littleEndian: old[$0])).zigzag }
        }
    }

    private static func joinDelta<W: PlaneWord>(
        _: W.Type, _ isFloat: Bool, _ planes: UnsafeRawBufferPointer, _ block: UnsafeMutableRawBufferPointer
    ) {
        let words = block.assumingMemoryBound(to: W.self)
        if isFloat {
            join(words.count, planes) {
                words[$0] = (W(littleEndian: words[$0]).ordered &+ ($1 as W).unzigzag).ordered.littleEndian
            }
        } else {
            join(words.count, planes) {
                words[$0] = (W(littleEndian: words[$0]) &+ ($1 as W).unzigzag).littleEndian
            }
        }
    }

    @inline(__always)
    private static func split<W: PlaneWord>(
        _ count: Int, _ planes: UnsafeMutableRawBufferPointer, _ word: (Int) -> W
    ) {
        guard let out = planes.assumingMemoryBound(to: UInt8.self).baseAddress else { return }
        for i in 0..<count {
            let value = word(i)
            for plane in 0..<MemoryLayout<W>.size {
                out[plane &* count &+ i] = UInt8(
                    truncatingIfNeeded: value &>> W(truncatingIfNeeded: 8 * plane))
            }
        }
    }

    @inline(__always)
    private static func join<W: PlaneWord>(
        _ count: Int, _ planes: UnsafeRawBufferPointer, _ store: (Int, W) -> Void
    ) {
        guard let bytes = planes.assumingMemoryBound(to: UInt8.self).baseAddress else { return }
        for i in 0..<count {
            var value: W = 0
            for plane in 0..<MemoryLayout<W>.size {
                value |= W(bytes[plane &* count &+ i]) &<< W(truncatingIfNeeded: 8 * plane)
            }
            store(i, value)
        }
    }
}

/// An unsigned word of an element; all of these are one-to-one, so every bit pattern comes back.
private protocol PlaneWord: FixedWidthInteger, UnsignedInteger {}

extension UInt8: PlaneWord {}
extension UInt16: PlaneWord {}
extension UInt32: PlaneWord {}
extension UInt64: PlaneWord {}

extension PlaneWord {
    @inline(__always) private static var top: Self { Self(truncatingIfNeeded: Self.bitWidth - 1) }

    /// The sign bit goes to the bottom, the exponent to the top.
    @inline(__always) var rotatedLeft: Self { self &<< 1 | self &>> Self.top }
    @inline(__always) var rotatedRight: Self { self &>> 1 | self &<< Self.top }

    /// All ones when the sign bit is set, else zero.
    @inline(__always) private var signMask: Self { 0 &- (self &>> Self.top) }

    /// A float's bits as a number that grows with the float's value; its own inverse.
    @inline(__always) var ordered: Self { self ^ (signMask &>> 1) }

    /// Signed numbers of small size as small unsigned numbers.
    @inline(__always) var zigzag: Self { self &<< 1 ^ signMask }
    @inline(__always) var unzigzag: Self { self &>> 1 ^ (0 &- (self & 1)) }
}
