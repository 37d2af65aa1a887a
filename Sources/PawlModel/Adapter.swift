public import Foundation
internal import PawlCore

/// A low-rank update of a model as PEFT stores one: a directory with `adapter_config.json` and `adapter_model.safetensors`.
///
/// Plain LoRA without biases or modules of its own: each updated weight W [out, in] becomes W + scale B A with the factors
/// A [rank, in] and B [out, rank] in fp32, fp16 or bf16.
public struct Adapter: Sendable {
    /// The file that makes a directory an adapter, where there is no `config.json`.
    public static let configuration = "adapter_config.json"
    /// The file with the factors.
    public static let weights = "adapter_model.safetensors"
    private static let prefix = "base_model.model."

    /// A linear layer that is updated.
    public struct Module: Sendable, Hashable {
        /// Its name in the model, without `.weight`.
        public let name: String
        /// Names of its factors in the file.
        public let a, b: String
        /// Extents of its weight.
        let out, `in`: Int

        /// Name of its weight in the model.
        public var weight: String { name + ".weight" }
    }

    /// Where it is.
    public let directory: URL
    /// Rows of A and columns of B.
    public let rank: Int
    /// What the product of the factors is multiplied by, before it is divided by the rank (or its root).
    public let alpha: Double
    /// What the product of the factors is multiplied by: alpha / rank, or alpha / √rank with `use_rslora`
    /// (Kalajdzievski 2023), rounded to fp32.
    public let scale: Float
    /// Every updated layer, in the order of the names.
    public let modules: [Module]

    /// Whether files are those of an adapter.
    public static func isAdapter(_ paths: some Collection<String>) -> Bool {
        paths.contains(configuration) && !paths.contains("config.json")
    }

    /// Whether a directory holds an adapter.
    public static func isAdapter(_ directory: URL) -> Bool {
        Files.exists(directory.appending(path: configuration))
            && !Files.exists(directory.appending(path: "config.json"))
    }

    /// Opens an adapter and looks at every factor; `invalidArgument` with the reason when it cannot be folded into a model.
    public init(_ directory: URL) throws {
        self.directory = directory
        let settings = try Settings(directory)
        (rank, alpha, scale) = (settings.rank, settings.alpha, settings.scale)
        modules = try Self.modules(directory, rank: settings.rank)
    }

    /// Fails when the model has no weight for a module, or one of another shape.
    public func check(against model: some WeightSource) throws {
        let names = Set(model.names)
        for module in modules {
            guard names.contains(module.weight) else {
                throw Self.fail("the module \(module.name.escaped) is not one of the model that it is for")
            }
            let (shape, _) = try model.form(of: module.weight)
            guard shape == [module.out, module.in] else {
                throw Self.fail(
                    "the factors of \(module.name) make \([module.out, module.in]), its weight in the model has the "
                        + "shape \(shape)")
            }
        }
    }

    private static func modules(_ directory: URL, rank: Int) throws -> [Module] {
        let factors = try SafetensorsDirectory(directory)
        var found: [String: [String: (name: String, shape: [Int])]] = [:]
        for name in factors.names {
            guard let (module, factor) = parts(name) else {
                throw fail(
                    "the tensor \"\(name.escaped)\" is no factor (\(prefix)MODULE.lora_A.weight or lora_B)")
            }
            let (shape, dtype) = try factors.form(of: name)
            guard [.f32, .f16, .bf16].contains(dtype) else {
                throw fail("the tensor \"\(name)\" is \(dtype.rawValue), not F32, F16 or BF16")
            }
            guard shape.count == 2, shape[factor == "lora_A" ? 0 : 1] == rank else {
                throw fail("the tensor \"\(name)\" has the shape \(shape), but r is \(rank)")
            }
            try checkFinite(name, factors)
            found[module, default: [:]][factor] = (name, shape)
        }
        guard !found.isEmpty else { throw fail("\(weights) holds no factors") }
        return try found.sorted { $0.key < $1.key }.map { module, factors in
            guard let a = factors["lora_A"], let b = factors["lora_B"] else {
                throw fail("the module \(module) has \(factors.keys.joined()) alone")
            }
            return Module(name: module, a: a.name, b: b.name, out: b.shape[0], in: a.shape[1])
        }
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

    private static func checkFinite(_ name: String, _ factors: SafetensorsDirectory) throws {
        try factors.read(name) { _, dtype, bytes in
            // All bits of the exponent set: a NaN or an infinity.
            let isFinite =
                dtype == .f32
                ? isFinite(bytes, UInt32.self, exponent: 0x7F80_0000)
                : isFinite(bytes, UInt16.self, exponent: dtype == .bf16 ? 0x7F80 : 0x7C00)
            guard isFinite else { throw fail("the tensor \"\(name)\" holds a NaN or an infinity") }
        }
    }

    private static func isFinite<W: FixedWidthInteger>(
        _ bytes: UnsafeRawBufferPointer, _: W.Type, exponent: W
    ) -> Bool {
        stride(from: 0, to: bytes.count, by: MemoryLayout<W>.size).allSatisfy { offset in
            bytes.loadUnaligned(fromByteOffset: offset, as: W.self).littleEndian & exponent != exponent
        }
    }

    fileprivate static func fail(_ reason: String) -> PawlError {
        PawlError(.invalidArgument, "the adapter: \(reason)")
    }
}

/// What `adapter_config.json` says that matters here.
private struct Settings {
    let rank: Int
    let alpha: Double
    let scale: Float

    /// Reads a configuration whose every setting is one that can be folded.
    init(_ directory: URL) throws {
        let url = directory.appending(path: Adapter.configuration)
        let value = try JSON.parse(Files.read(url), source: url.path)
        let wanted: [(String, JSONValue, isOptional: Bool)] = [
            ("peft_type", "LORA", false), ("bias", "none", true), ("fan_in_fan_out", false, true),
            ("use_dora", false, true), ("modules_to_save", .null, true),
            ("rank_pattern", .object([:]), true), ("alpha_pattern", .object([:]), true),
        ]
        for (key, only, isOptional) in wanted {
            let given = value[key]
            guard given == only || (isOptional && (given == nil || given == .null)) else {
                throw Adapter.fail(
                    "\(Adapter.configuration): \(key) is \(try given.map(Self.text) ?? "missing"), "
                        + "it must be \(try Self.text(only))")
            }
        }
        guard let rank = value["r"]?.int, rank >= 1 else {
            throw Adapter.fail("\(Adapter.configuration): r is not a whole number of at least 1")
        }
        guard let alpha = value["lora_alpha"]?.double, alpha.isFinite else {
            throw Adapter.fail("\(Adapter.configuration): lora_alpha is not a number")
        }
        let rooted = value["use_rslora"] ?? false
        guard rooted == .null || rooted.bool != nil else {
            throw Adapter.fail("\(Adapter.configuration): use_rslora is neither true nor false")
        }
        self.rank = rank
        self.alpha = alpha
        scale = Float(alpha / (rooted.bool == true ? Double(rank).squareRoot() : Double(rank)))
    }

    private static func text(_ value: JSONValue) throws -> String {
        String(decoding: try JSON.canonical(value), as: UTF8.self)
    }
}
