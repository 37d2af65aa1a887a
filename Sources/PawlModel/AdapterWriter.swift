public import Foundation
internal import PawlCore

/// Writes a low-rank update as an adapter directory of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
public enum AdapterWriter {
    /// Makes `output` with the factors in fp32.
    ///
    /// - Parameters:
    ///   - modules: what the configuration names as `target_modules`; none: the last parts of the modules' names.
    ///
    /// `output` must not exist; it appears whole or not at all.
    public static func write(_ factors: LowRankFactors, alpha: Double, modules: [String], to output: URL)
        throws
    {
        guard !Files.exists(output) else { throw PawlError(.alreadyExists, "\(output.path): exists already") }
        let partial = output.deletingLastPathComponent().appending(
            path: output.lastPathComponent + ".partial")
        try Files.remove(partial)
        try Files.createDirectory(partial)
        try Files.writeAtomically(
            configuration(factors.layout, alpha, modules), to: partial.appending(path: "adapter_config.json"))
        try Files.writeAtomically(
            weights(factors), to: partial.appending(path: "adapter_model.safetensors"))
        try Files.syncDirectory(partial)
        try Files.rename(partial, to: output)
        try Files.syncDirectory(output.deletingLastPathComponent())
    }

    private static func configuration(_ layout: LowRankLayout, _ alpha: Double, _ modules: [String]) throws
        -> [UInt8]
    {
        let endings = layout.modules.compactMap { $0.name.split(separator: ".").last.map(String.init) }
        let names = modules.isEmpty ? Set(endings).sorted() : modules
        let members: [String: JSONValue] = [
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": .null,
            "r": .int(Int64(layout.rank)),
            "lora_alpha": Int64(exactly: alpha).map(JSONValue.int) ?? .double(alpha), "lora_dropout": 0.0,
            "target_modules": .array(names.map(JSONValue.string)), "modules_to_save": .null, "bias": "none",
            "fan_in_fan_out": false, "use_rslora": false, "use_dora": false, "init_lora_weights": true,
            "inference_mode": true,
        ]
        return try JSON.canonical(JSONValue.object(members)) + [UInt8(ascii: "\n")]
    }

    private static func weights(_ factors: LowRankFactors) throws -> [UInt8] {
        var header: [String: JSONValue] = ["__metadata__": ["format": "pt"]]
        var data: [UInt8] = []
        data.reserveCapacity(factors.buffer.count * MemoryLayout<Float>.size)
        let rank = factors.layout.rank
        for module in factors.layout.modules {
            for (name, shape, offset) in [
                ("lora_A", [rank, module.in], module.a), ("lora_B", [module.out, rank], module.b),
            ] {
                let start = Int64(data.count)
                let numbers = UnsafeBufferPointer(start: factors.at(offset), count: shape[0] * shape[1])
                data += UnsafeRawBufferPointer(numbers)
                header["base_model.model.\(module.name).\(name).weight"] = [
                    "dtype": "F32", "shape": .array(shape.map { .int(Int64($0)) }),
                    "data_offsets": [.int(start), .int(Int64(data.count))],
                ]
            }
        }
        var text = try JSON.canonical(JSONValue.object(header))
        // Numbers begin on a multiple of 8 bytes, as safetensors has it.
        text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + data
    }
}
