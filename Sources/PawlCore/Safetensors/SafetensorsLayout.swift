/// The layout of a safetensors file, checked in full before a byte of its data is used.
public struct SafetensorsLayout: Sendable {
    /// Where one tensor is.
    public struct Entry: Sendable {
        public let name: String
        public let dtype: DType
        public let shape: [Int]
        /// Bytes of the file that it fills.
        public let range: Range<Int>
    }

    /// Bytes of the header with the eight bytes of its length.
    public let headerSize: Int
    /// Tensors in the order of their bytes; they fill the file from the header to its end.
    public let tensors: [Entry]

    /// The longest header that the format allows, without the eight bytes of its length.
    public static let maximumHeader = 100_000_000

    /// Reads the layout of a file of `size` bytes; `name` is the path for errors, `bytes` gives a part of the file (or
    /// what there is of it).
    public init(size: Int, name: String, bytes: (Range<Int>) throws -> [UInt8]) throws {
        let shown = name.escaped
        func fail(_ reason: String) -> PawlError { PawlError(.invalidArgument, "\(shown): \(reason)") }

        let start = try bytes(0..<8)
        guard start.count == 8, size >= 8 else {
            throw fail("not a safetensors file: \(size) bytes are too few for the length of a header")
        }
        let length = start.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Self.maximumHeader) else {
            throw fail("not a safetensors file: a header of \(length) bytes is over the limit of 100 MB")
        }
        headerSize = 8 + Int(length)
        guard headerSize <= size else {
            throw fail("the file is cut off: its header should have \(length) bytes, \(size - 8) are there")
        }
        let header = try bytes(8..<headerSize)
        guard header.first == UInt8(ascii: "{") else {
            throw fail("the header is not JSON: it does not begin with {")
        }
        guard case .object(let members) = try JSON.parse(header, source: "\(shown): header") else {
            throw fail("the header is not a JSON object")
        }
        var entries: [Entry] = []
        for (name, value) in members {
            if name == "__metadata__" {
                try Self.checkMetadata(value, fail)
            } else {
                entries.append(try Self.entry(name, value, dataStart: headerSize, fail))
            }
        }
        tensors = entries.sorted {
            ($0.range.lowerBound, $0.range.upperBound) == ($1.range.lowerBound, $1.range.upperBound)
                ? $0.name.precedesBytewise($1.name)
                : ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        try checkCoverage(size: size, fail)
    }

    private static func checkMetadata(_ value: JSONValue, _ fail: (String) -> PawlError) throws {
        guard let metadata = value.object, metadata.values.allSatisfy({ $0.string != nil }) else {
            throw fail("__metadata__ must be an object of strings")
        }
    }

    private static func entry(
        _ name: String, _ value: JSONValue, dataStart: Int, _ fail: (String) -> PawlError
    ) throws -> Entry {
        func failTensor(_ reason: String) -> PawlError { fail("tensor \"\(name.escaped)\": \(reason)") }

        guard let members = value.object else { throw failTensor("its entry is not an object") }
        if let unknown = members.keys.filter({ !["dtype", "shape", "data_offsets"].contains($0) }).min() {
            throw failTensor("unknown field \"\(unknown.escaped)\"")
        }
        guard let dtypeName = members["dtype"]?.string else {
            throw failTensor("dtype is missing or no string")
        }
        guard let dtype = DType(rawValue: dtypeName) else {
            throw failTensor("unknown dtype \"\(dtypeName.escaped)\"")
        }
        guard let shape = integers(members["shape"]), shape.allSatisfy({ $0 >= 0 }) else {
            throw failTensor("shape must be a list of integers, 0 or more")
        }
        guard let offsets = integers(members["data_offsets"]), offsets.count == 2, offsets[0] >= 0 else {
            throw failTensor("data_offsets must be two integers, 0 or more")
        }
        guard offsets[0] <= offsets[1] else {
            throw failTensor("data_offsets \(offsets[0])..\(offsets[1]) end before they begin")
        }
        guard let byteCount = dtype.byteCount(shape: shape) else {
            throw failTensor("\(dtype.rawValue) of shape \(shape) is not a whole number of bytes that fits")
        }
        guard byteCount == offsets[1] - offsets[0] else {
            throw failTensor(
                "\(dtype.rawValue) of shape \(shape) takes \(byteCount) bytes, its data_offsets hold \(offsets[1] - offsets[0])"
            )
        }
        let (end, overflow) = offsets[1].addingReportingOverflow(dataStart)
        guard !overflow else {
            throw failTensor("data_offsets \(offsets[0])..\(offsets[1]) are beyond the file")
        }
        return Entry(name: name, dtype: dtype, shape: shape, range: offsets[0] + dataStart..<end)
    }

    /// The integers of a JSON array; nil for anything else (1.0 counts as no integer).
    private static func integers(_ value: JSONValue?) -> [Int]? {
        guard let elements = value?.array else { return nil }
        var integers: [Int] = []
        for element in elements {
            guard case .int(let number) = element else { return nil }
            integers.append(Int(number))
        }
        return integers
    }

    private func checkCoverage(size: Int, _ fail: (String) -> PawlError) throws {
        var end = headerSize
        var previous: String?
        for tensor in tensors {
            let name = tensor.name.escaped
            guard tensor.range.upperBound <= size else {
                throw fail(
                    "tensor \"\(name)\": its data end at byte \(tensor.range.upperBound), the file has \(size): it is cut off"
                )
            }
            guard tensor.range.lowerBound >= end else {
                throw fail("tensor \"\(name)\": its data overlap those of \"\((previous ?? "").escaped)\"")
            }
            guard tensor.range.lowerBound == end else {
                throw fail(
                    "tensor \"\(name)\": a gap of \(tensor.range.lowerBound - end) bytes before its data")
            }
            end = tensor.range.upperBound
            previous = tensor.name
        }
        guard end == size else {
            let place =
                previous.map { "after the data of tensor \"\($0.escaped)\", the last one" }
                ?? "after the header"
            throw fail("\(size - end) bytes \(place)")
        }
    }
}
