internal import Foundation

/// A share as people read it: 0.7512 -> "75.1%".
public func percent(_ share: Double) -> String { String(format: "%.1f%%", share * 100) }
