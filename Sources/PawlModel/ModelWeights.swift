/// A model's weights, in the numbers that they are held in.
public enum ModelWeights: Sendable {
    /// In fp32.
    case full(Parameters)
    /// In bf16, which holds each exactly.
    case frozen(FrozenWeights)

    public var layout: ParameterLayout {
        switch self {
        case .full(let parameters): parameters.layout
        case .frozen(let frozen): frozen.layout
        }
    }

    /// A copy in fp32.
    public func copy(_ pool: ComputePool) -> Parameters {
        switch self {
        case .full(let parameters): Parameters(copying: parameters)
        case .frozen(let frozen): Parameters(widening: frozen, pool)
        }
    }
}

extension Transformer {
    /// A decoder over weights that stay as they are, in fp32 arithmetic.
    ///
    /// - Parameter update: what is added to them.
    public convenience init(
        _ configuration: ModelConfiguration, _ weights: ModelWeights, positions: Int, pool: ComputePool,
        update: LowRankUpdate? = nil
    ) {
        switch weights {
        case .full(let parameters):
            self.init(configuration, parameters, positions: positions, pool: pool, update: update)
        case .frozen(let frozen):
            self.init(configuration, frozen: frozen, positions: positions, pool: pool, update: update)
        }
    }
}
