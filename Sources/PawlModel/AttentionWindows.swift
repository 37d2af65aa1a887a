internal import PawlCore

/// Which layers see only the last keys: all of Mistral's, those of the Qwen families that `layer_types` or
/// `max_window_layers` name, none of Llama's.
struct AttentionWindows {
    private let family: ModelConfiguration.Family
    private let fields: ConfigurationFields
    /// nil: no layer slides.
    private let window: Int?

    init(_ family: ModelConfiguration.Family, _ fields: ConfigurationFields) throws {
        self.family = family
        self.fields = fields
        let isOn =
            switch family {
            case .llama: false
            case .mistral: true
            case .qwen2, .qwen3: try fields.flag("use_sliding_window", default: false)
            }
        // The reference's value for a file that does not say; null says that there is none.
        let standard = fields.members["sliding_window"] == nil ? 4096 : nil
        window = isOn ? try fields.sizeIfPresent("sliding_window") ?? standard : nil
    }

    /// The window of each layer; 0: none.
    func sizes(_ layerCount: Int) throws -> [Int] {
        if let kinds = fields.members["layer_types"], kinds != .null {
            return try sizes(layerCount, kinds)
        }
        guard let window else { return [Int](repeating: 0, count: layerCount) }
        guard family != .mistral else { return [Int](repeating: window, count: layerCount) }
        let full =
            fields.members["max_window_layers"] == .int(0)
            ? 0 : try fields.sizeIfPresent("max_window_layers") ?? 28
        return (0..<layerCount).map { $0 < full ? 0 : window }
    }

    private func sizes(_ layerCount: Int, _ kinds: JSONValue) throws -> [Int] {
        func fail(_ reason: String) -> PawlError { fields.error("layer_types", reason) }
        guard let kinds = kinds.array, kinds.count == layerCount else {
            throw fail("must list as many layers as num_hidden_layers, \(layerCount)")
        }
        let sizes = try kinds.map { kind in
            switch kind.string {
            case "full_attention": return 0
            case "sliding_attention":
                guard let window else { throw fail("sliding_attention without a sliding_window in use") }
                return window
            default: throw fail("\(kind.string.map { "\"\($0)\"" } ?? "an element") is not supported")
            }
        }
        guard family != .mistral || sizes.allSatisfy({ $0 == window ?? 0 }) else {
            throw fail("layers of mistral that differ are not supported")
        }
        return sizes
    }
}
