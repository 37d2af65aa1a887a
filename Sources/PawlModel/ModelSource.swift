internal import Foundation
internal import PawlCore

/// A model's small files, by path: configuration, tokenizer, chat template.
public protocol ModelFiles: CustomStringConvertible, Sendable {
    /// A file's bytes; nil when there is none.
    func file(_ path: String) throws -> [UInt8]?
}

extension ModelFiles {
    /// What errors call a file.
    func name(of path: String) -> String { "\(description)/\(path)" }

    /// A file that must be there, with what errors call it.
    func required(_ path: String) throws -> (bytes: [UInt8], name: String) {
        guard let bytes = try file(path) else {
            throw PawlError(.notFound, "\(name(of: path)): there is no such file")
        }
        return (bytes, name(of: path))
    }
}

/// A whole model: its small files, its tensors, and how both are laid out, so that one like it can be written.
public protocol ModelSource: ModelFiles, WeightSource {
    /// The safetensors files that hold the weights, in the order of their names.
    func weightFiles() throws -> [WeightFile]

    /// Everything else, a directory before what is in it.
    func otherEntries() throws -> [OtherEntry]
}

/// A safetensors file without its tensors.
public struct WeightFile: Sendable {
    /// Path in the model's directory.
    public let path: String
    /// What stands before the tensors, the eight bytes of length included.
    public let header: [UInt8]
    /// Bytes of the whole file.
    public let size: Int

    /// Makes a description.
    public init(path: String, header: [UInt8], size: Int) {
        self.path = path
        self.header = header
        self.size = size
    }
}

/// A file that holds no weights, or a directory.
public struct OtherEntry: Sendable {
    /// Path in the model's directory.
    public let path: String
    /// Whether it is a directory.
    public let isDirectory: Bool

    /// Makes an entry.
    public init(path: String, isDirectory: Bool) {
        self.path = path
        self.isDirectory = isDirectory
    }
}

/// The files of a directory.
struct DirectoryFiles: ModelFiles {
    let directory: URL

    var description: String { directory.path }

    func file(_ path: String) throws -> [UInt8]? {
        let url = directory.appending(path: path)
        return Files.exists(url) ? try Files.read(url) : nil
    }
}

extension SafetensorsDirectory: ModelSource {
    public func file(_ path: String) throws -> [UInt8]? {
        try DirectoryFiles(directory: directory).file(path)
    }

    public func weightFiles() throws -> [WeightFile] {
        try files.map { url, layout in
            let file = try MappedFile(url)
            guard layout.headerSize <= file.bytes.count else {
                throw PawlError(.io, "\(url.path): the file has become shorter while it was read")
            }
            return WeightFile(
                path: url.lastPathComponent, header: Array(file.bytes[0..<layout.headerSize]),
                size: file.bytes.count)
        }
    }

    public func otherEntries() throws -> [OtherEntry] {
        let weights = Set(files.map(\.url.lastPathComponent))
        return try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
            .filter { !weights.contains($0) }
            .map { .init(path: $0, isDirectory: Files.isDirectory(directory.appending(path: $0))) }
    }
}
