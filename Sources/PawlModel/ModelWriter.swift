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
        _ parameters: Parameters, like source: URL, to output: URL, pool: ComputePool
    ) throws {
        guard !Files.exists(output) else { throw PawlError(.alreadyExists, "\(output.path): exists already") }
        let partial = output.deletingLastPathComponent().appending(
            path: output.lastPathComponent + ".partial")
        try Files.remove(partial)
        try Files.createDirectory(partial)
        let weights = try SafetensorsDirectory(source)
        let entries = Dictionary(uniqueKeysWithValues: parameters.layout.entries.map { ($0.name, $0) })
        for (url, layout) in weights.files {
            let file = partial.appending(path: url.lastPathComponent)
            try writeFile(file, like: url, layout, parameters, entries, pool)
        }
        try copyRest(source, to: partial)
        try Files.syncDirectory(partial)
        try Files.rename(partial, to: output)
        try Files.syncDirectory(output.deletingLastPathComponent())
    }

    /// One file, tensor by tensor, so that no second copy of the weights is ever in memory.
    private static func writeFile(
        _ file: URL, like url: URL, _ layout: SafetensorsLayout, _ parameters: Parameters,
        _ entries: [String: ParameterLayout.Entry], _ pool: ComputePool
    ) throws {
        let old = try MappedFile(url)
        let descriptor = open(file.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Files.error("create", file.path) }
        defer { close(descriptor) }
        func write(_ bytes: UnsafeRawBufferPointer) throws {
            try Files.writeAll(bytes, to: descriptor, path: file.path)
        }
        try write(UnsafeRawBufferPointer(rebasing: old.bytes[0..<layout.headerSize]))
        for tensor in layout.tensors {
            // An output projection that stands beside the embedding it is tied to stays equal to it.
            let entry =
                entries[tensor.name]
                ?? (tensor.name == "lm_head.weight" ? parameters.layout.entries[0] : nil)
            if let entry {
                try withBytes(of: entry, in: parameters, as: tensor, pool, write)
            } else {
                try write(UnsafeRawBufferPointer(rebasing: old.bytes[tensor.range]))
            }
        }
        guard fsync(descriptor) == 0 else { throw Files.error("sync", file.path) }
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

    private static func copyRest(_ source: URL, to output: URL) throws {
        for url in try FileManager.default.contentsOfDirectory(at: source, includingPropertiesForKeys: nil)
        where url.pathExtension != "safetensors" {
            try FileManager.default.copyItem(at: url, to: output.appending(path: url.lastPathComponent))
        }
    }
}
