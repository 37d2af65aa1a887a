internal import Foundation
internal import PawlCore

/// The members of a `config.json`, read with errors that name file and field.
struct ConfigurationFields {
    let members: [String: JSONValue]
    let source: String

    init(_ value: JSONValue, source: String) throws {
        guard let members = value.object else {
            throw PawlError(.invalidArgument, "\(source): not a JSON object")
        }
        self.members = members
        self.source = source
    }

    func error(_ field: String, _ reason: String) -> PawlError {
        PawlError(.unsupported, "\(source), field \(field): \(reason)")
    }

    private func value(_ field: String) -> JSONValue? {
        guard let value = members[field], value != .null else { return nil }
        return value
    }

    func string(_ field: String) throws -> String {
        guard let text = value(field)?.string else { throw error(field, "must be a string") }
        return text
    }

    func size(_ field: String, below limit: Int) throws -> Int {
        guard let size = try sizeIfPresent(field, below: limit) else { throw error(field, "is missing") }
        return size
    }

    /// The limits keep products of sizes within an integer.
    func sizeIfPresent(_ field: String, below limit: Int = 1 << 31) throws -> Int? {
        guard let value = value(field) else { return nil }
        guard let size = value.int, size > 0, size < limit else {
            throw error(field, "must be a whole number above 0 and below \(limit)")
        }
        return size
    }

    func numberIfPresent(_ field: String) throws -> Double? {
        guard let value = value(field) else { return nil }
        guard let number = value.double, number.isFinite, number > 0 else {
            throw error(field, "must be a number above 0")
        }
        return number
    }

    func flag(_ field: String, default standard: Bool) throws -> Bool {
        guard let value = value(field) else { return standard }
        guard let flag = value.bool else { throw error(field, "must be true or false") }
        return flag
    }

    func object(_ field: String) throws -> ConfigurationFields? {
        guard let value = value(field) else { return nil }
        return try ConfigurationFields(value, source: "\(source), field \(field)")
    }

    /// One token or a list of them.
    func tokens(_ field: String) throws -> [Int32]? {
        guard let value = value(field) else { return nil }
        let values = value.array ?? [value]
        return try values.map {
            guard let token = $0.int.flatMap({ Int32(exactly: $0) }), token >= 0 else {
                throw error(field, "must be a token or a list of tokens")
            }
            return token
        }
    }

    /// Quantised weights, mixtures of experts, and changes of the attention or the logits that forks of these families have.
    private static let unknownMeanings = [
        "quantization_config", "compression_config", "num_local_experts", "num_experts", "n_routed_experts",
        "attn_logit_softcapping", "final_logit_softcapping", "clip_qkv", "query_pre_attn_scalar",
        "attention_multiplier", "embedding_multiplier", "residual_multiplier", "logits_scaling",
        "no_rope_layers", "qk_layernorm",
    ]

    /// Refuses members that change the arithmetic in ways that are not known here.
    func refuseUnknownMeaning(_ family: ModelConfiguration.Family) throws {
        if let architectures = value("architectures")?.array,
            !architectures.contains(.string(family.architecture))
        {
            let given = architectures.compactMap(\.string).joined(separator: ", ")
            throw error("architectures", "\(given) is not supported; \(family.architecture) is")
        }
        if let activation = value("hidden_act"), activation.string != "silu" {
            throw error("hidden_act", "only silu is known")
        }
        for field in Self.unknownMeanings {
            if let value = value(field), ![0, false, []].contains(value) {
                throw error(field, "is not supported")
            }
        }
        if try flag("mlp_bias", default: false) { throw error("mlp_bias", "true is not supported") }
        if let parts = value("pretraining_tp")?.int, parts != 1 {
            throw error("pretraining_tp", "\(parts) is not supported")
        }
        if let factor = value("partial_rotary_factor")?.double, factor != 1 {
            throw error("partial_rotary_factor", "\(factor) is not supported")
        }
    }
}

/// How positions become angles: `rope_theta`, and Llama 3's scaling of its slow components.
///
/// Newer files put all of it into `rope_parameters`.
struct RotaryScaling {
    private let theta: Double
    private let llama3: (factor: Double, low: Double, high: Double, original: Double)?

    init(_ fields: inout ConfigurationFields) throws {
        let parameters = try fields.object("rope_parameters")
        let scaling = try parameters ?? fields.object("rope_scaling")
        if let factor = scaling?.members["partial_rotary_factor"]?.double, factor != 1 {
            throw fields.error("partial_rotary_factor", "\(factor) is not supported")
        }
        theta =
            try parameters?.numberIfPresent("rope_theta") ?? fields.numberIfPresent("rope_theta") ?? 10_000
        let kind = scaling.flatMap { ($0.members["rope_type"] ?? $0.members["type"])?.string }
        switch (scaling, kind) {
        case (nil, _), (_, "default"): llama3 = nil
        case (let scaling?, "llama3"):
            func need(_ field: String) throws -> Double {
                guard let number = try scaling.numberIfPresent(field) else {
                    throw scaling.error(field, "is missing")
                }
                return number
            }
            let (low, high) = (try need("low_freq_factor"), try need("high_freq_factor"))
            guard low < high else {
                throw scaling.error("high_freq_factor", "\(high) is not above low_freq_factor \(low)")
            }
            llama3 = (try need("factor"), low, high, try need("original_max_position_embeddings"))
        case (let scaling?, let other):
            throw scaling.error("rope_type", "\(other ?? "nothing") is not supported; default and llama3 are")
        }
    }

    /// theta^(-2i/E), i below E/2, rounded as the reference's are (fp32 exponents, powers and results), and scaled.
    func inverseFrequencies(headSize: Int) -> [Double] {
        (0..<headSize / 2).map { i in
            let frequency = Double(1 / Float(pow(theta, Double(Float(2 * i) / Float(headSize)))))
            return Double(Float(scaled(frequency)))
        }
    }

    /// Slow components are slowed further, fast ones stay, those between go over smoothly.
    private func scaled(_ frequency: Double) -> Double {
        guard let llama3 else { return frequency }
        let length = 2 * Double.pi / frequency
        if length < llama3.original / llama3.high { return frequency }
        if length > llama3.original / llama3.low { return frequency / llama3.factor }
        let smooth = (llama3.original / length - llama3.low) / (llama3.high - llama3.low)
        return (1 - smooth) * frequency / llama3.factor + smooth * frequency
    }
}
