/// How much arithmetic something takes, in floating-point operations: a product and its sum are two.
///
/// Counted is what the result asks for, once: products with weights, and attention's products with the keys and values that a
/// query really sees. What an implementation repeats (scores or layers on the way back) and what is small beside it (norms,
/// rotations, softmax) is not.
public struct FloatingPointWork: Sendable, Hashable, Codable {
    /// Products with weights.
    public var products: Double
    /// Products of queries with keys, and of their weights with values.
    public var attention: Double
    /// Operations on one number after the other: the optimizer's.
    public var elementwise: Double

    /// Makes a count.
    public init(products: Double = 0, attention: Double = 0, elementwise: Double = 0) {
        self.products = products
        self.attention = attention
        self.elementwise = elementwise
    }

    /// All operations.
    public var total: Double { products + attention + elementwise }

    /// The way back through the same: each product has two, for the gradients of its two factors.
    public var backward: FloatingPointWork {
        FloatingPointWork(products: 2 * products, attention: 2 * attention, elementwise: 2 * elementwise)
    }

    /// The way back where weights get no gradient: products with them have one for their other factor.
    public var backwardToInputs: FloatingPointWork {
        FloatingPointWork(products: products, attention: 2 * attention, elementwise: 2 * elementwise)
    }

    public static func + (a: Self, b: Self) -> Self {
        Self(
            products: a.products + b.products, attention: a.attention + b.attention,
            elementwise: a.elementwise + b.elementwise)
    }

    public static func += (a: inout Self, b: Self) { a = a + b }

    public static func * (count: Double, a: Self) -> Self {
        Self(
            products: count * a.products, attention: count * a.attention, elementwise: count * a.elementwise)
    }
}

extension FloatingPointWork {
    /// One sequence's tokens through all layers, without the output projection.
    ///
    /// It is the same whether the tokens go through together or one by one behind a cache.
    ///
    /// - Parameters:
    ///   - tokens: those that are run.
    ///   - prefix: tokens before them, whose keys and values are there already.
    public static func layers(_ c: ModelConfiguration, tokens: Int, after prefix: Int = 0) -> Self {
        let (d, heads) = (Double(c.hiddenSize), Double(c.headCount * c.headSize))
        let weights = d * Double(c.queryKeyValueSize) + heads * d + 3 * d * Double(c.intermediateSize)
        // Keys that the queries of a layer see, all queries together.
        let keys = c.windows.reduce(0.0) { sum, window in
            sum + visibleKeys(tokens, after: prefix, window: window)
        }
        return Self(products: 2 * weights * Double(tokens * c.layerCount), attention: 4 * heads * keys)
    }

    /// Logits of so many places.
    public static func logits(_ c: ModelConfiguration, rows: Int) -> Self {
        Self(products: 2 * Double(rows) * Double(c.hiddenSize) * Double(c.vocabularySize))
    }

    /// The sum over queries at places prefix + 1 ..< prefix + tokens + 1 of the keys each sees, itself counted.
    private static func visibleKeys(_ tokens: Int, after prefix: Int, window: Int) -> Double {
        func sum(upTo last: Int) -> Double {
            guard window > 0, last > window else { return Double(last) * Double(last + 1) / 2 }
            return Double(window) * Double(window + 1) / 2 + Double(last - window) * Double(window)
        }
        return sum(upTo: prefix + tokens) - sum(upTo: prefix)
    }
}
