public import Foundation
public import PawlCore

/// Where a model's tensors are read from: a directory, or a store that another module knows.
public protocol WeightSource: CustomStringConvertible {
    /// Names of all tensors.
    var names: [String] { get }

    /// A tensor's shape and type, without reading its numbers.
    func form(of name: String) throws -> (shape: [Int], dtype: DType)

    /// A name of a tensor's content, type and shape included: equal names, equal tensors. Nil where none is known.
    func digest(of name: String) throws -> Digest?

    /// Hands out one tensor: shape, type, and its bytes (little-endian, row-major), which live for the call alone.
    func read(_ name: String, _ body: ([Int], DType, UnsafeRawBufferPointer) throws -> Void) throws

    /// Hands out several tensors by their place in `names`, in any order, perhaps on several threads at once.
    func read(
        _ names: [String], _ body: @Sendable (Int, [Int], DType, UnsafeRawBufferPointer) throws -> Void
    ) throws
}

extension WeightSource {
    /// Not known.
    public func digest(of name: String) throws -> Digest? { nil }

    /// One tensor after the other.
    public func read(
        _ names: [String], _ body: @Sendable (Int, [Int], DType, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        for (index, name) in names.enumerated() { try read(name) { try body(index, $0, $1, $2) } }
    }
}

/// The `*.safetensors` files of a Hugging Face directory.
public struct SafetensorsDirectory: WeightSource, Sendable {
    /// Where a tensor lies.
    struct Place: Sendable {
        let file: URL
        let entry: SafetensorsLayout.Entry
    }

    public let directory: URL
    /// Files in the order of their names, each with its layout.
    let files: [(url: URL, layout: SafetensorsLayout)]
    private let places: [String: Place]

    public var description: String { directory.path }
    public var names: [String] { places.keys.sorted() }

    /// Reads the headers; an error names the file and the tensor.
    public init(_ directory: URL) throws {
        // Foundation lists nothing behind a link to a directory.
        let directory = directory.resolvingSymlinksInPath()
        self.directory = directory
        let urls = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "safetensors" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        guard !urls.isEmpty else {
            throw PawlError(.notFound, "\(directory.path): no *.safetensors file")
        }
        files = try urls.map { url in
            let file = try MappedFile(url)
            let layout = try SafetensorsLayout(size: file.bytes.count, name: url.path) { range in
                Array(file.bytes[range.clamped(to: 0..<file.bytes.count)])
            }
            return (url, layout)
        }
        var places: [String: Place] = [:]
        for (url, layout) in files {
            for entry in layout.tensors
            where places.updateValue(Place(file: url, entry: entry), forKey: entry.name) != nil {
                throw PawlError(
                    .invalidArgument, "\(url.path): tensor \"\(entry.name.escaped)\" stands in two files")
            }
        }
        self.places = places
    }

    private func place(_ name: String) throws -> Place {
        guard let place = places[name] else {
            throw PawlError(.notFound, "\(directory.path): no tensor \"\(name.escaped)\"")
        }
        return place
    }

    public func form(of name: String) throws -> (shape: [Int], dtype: DType) {
        let entry = try place(name).entry
        return (entry.shape, entry.dtype)
    }

    public func read(_ name: String, _ body: ([Int], DType, UnsafeRawBufferPointer) throws -> Void) throws {
        let place = try place(name)
        let file = try MappedFile(place.file)
        guard place.entry.range.upperBound <= file.bytes.count else {
            throw PawlError(.io, "\(place.file.path): the file has become shorter while it was read")
        }
        try body(
            place.entry.shape, place.entry.dtype,
            UnsafeRawBufferPointer(rebasing: file.bytes[place.entry.range]))
    }
}
