internal import CKernels
public import Foundation
internal import PawlCore

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
            let old = try MappedFile(url)
            var bytes = Array(old.bytes[0..<layout.headerSize])
            bytes.reserveCapacity(old.bytes.count)
            for tensor in layout.tensors {
                // An output projection that stands beside the embedding it is tied to stays equal to it.
                let entry =
                    entries[tensor.name]
                    ?? (tensor.name == "lm_head.weight" ? parameters.layout.entries[0] : nil)
                if let entry {
                    try append(parameters, entry, tensor, to: &bytes, pool)
                } else {
                    bytes += old.bytes[tensor.range]
                }
            }
            try Files.writeAtomically(bytes, to: partial.appending(path: url.lastPathComponent))
        }
        try copyRest(source, to: partial)
        try Files.syncDirectory(partial)
        try Files.rename(partial, to: output)
        try Files.syncDirectory(output.deletingLastPathComponent())
    }

    private static func append(
        _ parameters: Parameters, _ entry: ParameterLayout.Entry, _ tensor: SafetensorsLayout.Entry,
        to bytes: inout [UInt8], _ pool: ComputePool
    ) throws {
        let numbers = parameters.at(entry.offset)
        switch tensor.dtype {
        case .f32:
            bytes += UnsafeRawBufferPointer(start: numbers, count: entry.count * 4)
        case .bf16:
            let rounded = [UInt16](unsafeUninitializedCapacity: entry.count) { buffer, count in
                pawl_bf16_from_f32(pool.handle, buffer.baseAddress, numbers, entry.count)
                count = entry.count
            }
            rounded.withUnsafeBytes { bytes += $0 }
        case .f16:
            let rounded = (0..<entry.count).map { Float16(numbers[$0]) }
            rounded.withUnsafeBytes { bytes += $0 }
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
