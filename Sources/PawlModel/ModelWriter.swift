internal import CKernels
public import Foundation
internal import PawlCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Writes weights as a Hugging Face directory that looks like the one they came from.
public enum ModelWriter {
    /// Makes `output` with the files of `source`: the same headers, tensor order and types, the weights rounded to
    /// nearest even where the file's type is narrower than fp32. Weights that were not changed give the same bytes.
    ///
    /// `output` must not exist; it appears whole or not at all.
    public static func write(
        _ parameters: Parameters, like source: some ModelSource, to output: URL, pool: ComputePool
    ) throws {
        guard !Files.exists(output) else { throw PawlError(.alreadyExists, "\(output.path): exists already") }
        let partial = output.deletingLastPathComponent().appending(
            path: output.lastPathComponent + ".partial")
        try Files.remove(partial)
        try Files.createDirectory(partial)
        let entries = Dictionary(uniqueKeysWithValues: parameters.layout.entries.map { ($0.name, $0) })
        for file in try source.weightFiles() {
            try writeFile(file, of: source, to: partial, parameters, entries, pool)
        }
        try copyRest(source, to: partial)
        try Files.syncDirectory(partial)
        try Files.rename(partial, to: output)
        try Files.syncDirectory(output.deletingLastPathComponent())
    }

    /// The same, like a model directory.
    public static func write(
        _ parameters: Parameters, like source: URL, to output: URL, pool: ComputePool
    ) throws {
        try write(parameters, like: SafetensorsDirectory(source), to: output, pool: pool)
    }

    /// One file, tensor by tensor, so that no second copy of the weights is ever in memory.
    private static func writeFile(
        _ file: WeightFile, of source: some ModelSource, to directory: URL, _ parameters: Parameters,
        _ entries: [String: ParameterLayout.Entry], _ pool: ComputePool
    ) throws {
        let path = directory.appending(path: file.path).path
        let layout = try SafetensorsLayout(size: file.size, name: source.name(of: file.path)) { range in
            Array(file.header[range.clamped(to: file.header.indices)])
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Files.error("create", path) }
        defer { close(descriptor) }
        func write(_ bytes: UnsafeRawBufferPointer) throws {
            try Files.writeAll(bytes, to: descriptor, path: path)
        }
        try file.header.withUnsafeBytes(write)
        for tensor in layout.tensors {
            // An output projection that stands beside the embedding it is tied to stays equal to it.
            let entry =
                entries[tensor.name]
                ?? (tensor.name == "lm_head.weight" ? parameters.layout.entries[0] : nil)
            if let entry {
                try withBytes(of: entry, in: parameters, as: tensor, pool, write)
            } else {
                try source.read(tensor.name) { _, _, bytes in try write(bytes) }
            }
        }
        guard fsync(descriptor) == 0 else { throw Files.error("sync", path) }
    }

    /// A tensor's numbers in the type that the file has for it.
    private static func withBytes(
        of entry: ParameterLayout.Entry, in parameters: Parameters, as tensor: SafetensorsLayout.Entry,
        _ pool: ComputePool, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let numbers = parameters.at(entry.offset)
        switch tensor.dtype {
        case .f32:
            try body(UnsafeRawBufferPointer(start: numbers, count: entry.count * 4))
        case .bf16:
            let rounded = [UInt16](unsafeUninitializedCapacity: entry.count) { buffer, count in
                pawl_bf16_from_f32(pool.handle, buffer.baseAddress, numbers, entry.count)
                count = entry.count
            }
            try rounded.withUnsafeBytes(body)
        case .f16:
            try (0..<entry.count).map { Float16(numbers[$0]) }.withUnsafeBytes(body)
        default:
            throw PawlError(
                .unsupported, "tensor \"\(tensor.name)\": weights of type \(tensor.dtype.rawValue)")
        }
    }

    private static func copyRest(_ source: some ModelSource, to output: URL) throws {
        for entry in try source.otherEntries() {
            let url = output.appending(path: entry.path)
            if entry.isDirectory {
                try Files.createDirectory(url)
            } else {
                try Files.writeAtomically(source.required(entry.path).bytes, to: url)
            }
        }
    }
}
