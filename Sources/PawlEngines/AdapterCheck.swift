internal import Foundation
internal import PawlCore
internal import PawlModel

/// Checks an adapter directory that an engine wrote in the place of a model: a low-rank update as PEFT stores one.
///
/// `adapter_config.json` and `adapter_model.safetensors`, plain LoRA without biases or modules of its own, in fp32; for each
/// module A [r, in] and B [out, r].
struct AdapterCheck {
    /// The file that makes a directory an adapter, where there is no `config.json`.
    static let configuration = "adapter_config.json"
    static let weights = "adapter_model.safetensors"
    private static let prefix = "base_model.model."

    let directory: URL

    /// Whether files are those of an adapter.
    static func isAdapter(_ paths: some Collection<String>) -> Bool {
        paths.contains(configuration) && !paths.contains("config.json")
    }

    /// Fails with the reason when the directory holds no adapter that can be folded into a model.
    ///
    /// - Parameter model: where the updated weights are; nil when only the adapter itself is to be looked at.
    func check(against model: (any WeightSource)?) throws {
        let rank = try rank()
        let factors = try SafetensorsDirectory(directory)
        var modules: [String: (a: [Int]?, b: [Int]?)] = [:]
        for name in factors.names {
            let (shape, dtype) = try factors.form(of: name)
            guard let (module, factor) = Self.parts(name) else {
                throw fail(
                    "the tensor \"\(name.escaped)\" is no factor (\(Self.prefix)MODULE.lora_A.weight or lora_B)"
                )
            }
            guard dtype == .f32 else { throw fail("the tensor \"\(name)\" is \(dtype.rawValue), not F32") }
            guard shape.count == 2, shape[factor == "lora_A" ? 0 : 1] == rank else {
                throw fail("the tensor \"\(name)\" has the shape \(shape), but r is \(rank)")
            }
            try checkFinite(name, factors)
            if factor == "lora_A" { modules[module, default: (nil, nil)].a = shape }
            if factor == "lora_B" { modules[module, default: (nil, nil)].b = shape }
        }
        guard !modules.isEmpty else { throw fail("\(Self.weights) holds no factors") }
        for (module, shapes) in modules.sorted(by: { $0.key < $1.key }) {
            guard let a = shapes.a, let b = shapes.b else {
                throw fail("the module \(module) has lora_\(shapes.a == nil ? "B" : "A") alone")
            }
            if let model { try check(module, [b[0], a[1]], model) }
        }
    }

    /// The rank, from a configuration whose every setting is one that can be folded.
    private func rank() throws -> Int {
        let url = directory.appending(path: Self.configuration)
        let value = try JSON.parse(Files.read(url), source: url.path)
        let wanted: [(String, JSONValue, isOptional: Bool)] = [
            ("peft_type", "LORA", false), ("bias", "none", true), ("fan_in_fan_out", false, true),
            ("use_rslora", false, true), ("use_dora", false, true), ("modules_to_save", .null, true),
            ("rank_pattern", .object([:]), true), ("alpha_pattern", .object([:]), true),
        ]
        for (key, only, isOptional) in wanted {
            let given = value[key]
            guard given == only || (isOptional && (given == nil || given == .null)) else {
                throw fail(
                    "\(Self.configuration): \(key) is \(try given.map(Self.text) ?? "missing"), "
                        + "it must be \(try Self.text(only))")
            }
        }
        guard let rank = value["r"]?.int, rank >= 1 else {
            throw fail("\(Self.configuration): r is not a whole number of at least 1")
        }
        guard let alpha = value["lora_alpha"]?.double, alpha.isFinite else {
            throw fail("\(Self.configuration): lora_alpha is not a number")
        }
        return rank
    }

    private static func text(_ value: JSONValue) throws -> String {
        String(decoding: try JSON.canonical(value), as: UTF8.self)
    }

    /// Module and factor of a tensor's name.
    private static func parts(_ name: String) -> (module: String, factor: String)? {
        for factor in ["lora_A", "lora_B"] {
            let suffix = ".\(factor).weight"
            guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { continue }
            let module = name.dropFirst(prefix.count).dropLast(suffix.count)
            return module.isEmpty ? nil : (String(module), factor)
        }
        return nil
    }

    private func checkFinite(_ name: String, _ factors: SafetensorsDirectory) throws {
        try factors.read(name) { _, _, bytes in
            // All bits of the exponent set: a NaN or an infinity.
            let isFinite = stride(from: 0, to: bytes.count, by: 4).allSatisfy { offset in
                bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian & 0x7F80_0000
                    != 0x7F80_0000
            }
            guard isFinite else { throw fail("the tensor \"\(name)\" holds a NaN or an infinity") }
        }
    }

    private func check(_ module: String, _ shape: [Int], _ model: any WeightSource) throws {
        let name = module + ".weight"
        guard model.names.contains(name) else {
            throw fail("the module \(module) is not one of the model that training started from")
        }
        let (expected, _) = try model.form(of: name)
        guard expected == shape else {
            throw fail(
                "the factors of \(module) make \(shape), its weight in the model has the shape \(expected)")
        }
    }

    private func fail(_ reason: String) -> PawlError { PawlError(.engine, "the adapter: \(reason)") }
}
