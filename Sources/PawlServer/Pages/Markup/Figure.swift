internal import Foundation
internal import PawlCore

/// How figures are written on pages: a true minus sign, points instead of percentages of percentages, UTC.
enum Figure {
    /// 1234567 -> "1.2 MB" (powers of 1000).
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if abs(value) < 1000 { return unit == "B" ? "\(count) B" : "\(fixed(value, 1)) \(unit)" }
            value /= 1000
        }
        return "\(fixed(value, 1)) TB"
    }

    /// 1, "suite" -> "1 suite"; 2, "suite" -> "2 suites".
    static func count(_ count: Int, _ noun: String) -> String {
        "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")"
    }

    /// 1234567 -> "1,234,567".
    static func grouped(_ count: Int) -> String {
        let digits = String(abs(count))
        var out = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { out.append(",") }
            out.append(digit)
        }
        return count < 0 ? "\u{2212}" + out : out
    }

    /// 0.0213 -> "+2.1": a difference in points (hundredths).
    static func points(_ difference: Double) -> String { signed(difference * 100, 1) }

    /// With a sign, also in front of what is above 0; 0 has none.
    static func signed(_ value: Double, _ digits: Int) -> String {
        let text = fixed(abs(value), digits)
        guard text.contains(where: { "123456789".contains($0) }) else { return text }
        return (value < 0 ? "\u{2212}" : "+") + text
    }

    /// So many digits after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", value).replacing("-", with: "\u{2212}")
    }

    /// Three significant digits, for quantities of any size: 0.000012 -> "1.2e−5".
    static func compact(_ value: Double) -> String {
        guard value != 0 else { return "0" }
        if abs(value) >= 0.001 && abs(value) < 100_000 {
            let text = String(format: "%.3g", value)
            return text.contains("e") ? grouped(Int(value.rounded())) : text.replacing("-", with: "\u{2212}")
        }
        let parts = String(format: "%.2e", value).split(separator: "e")
        guard parts.count == 2, let mantissa = Double(parts[0]), let exponent = Int(parts[1]) else {
            return "\(value)"
        }
        return String(format: "%.3g", mantissa).replacing("-", with: "\u{2212}") + "e"
            + String(exponent).replacing("-", with: "\u{2212}")
    }

    /// "2026-11-23 09:18", UTC.
    static func time(_ timestamp: Timestamp) -> String {
        String(timestamp.description.prefix(16).replacing("T", with: " "))
    }

    /// "2026-11-23", UTC.
    static func day(_ timestamp: Timestamp) -> String { String(timestamp.description.prefix(10)) }

    /// A number in a drawing: at most two digits after the point, none where they are 0.
    static func coordinate(_ value: Double) -> String {
        guard value.isFinite else { return "0" }
        let hundredths = (value * 100).rounded()
        let whole = Int64(hundredths)
        let (units, rest) = abs(whole).quotientAndRemainder(dividingBy: 100)
        let sign = whole < 0 ? "-" : ""
        if rest == 0 { return "\(sign)\(units)" }
        return rest % 10 == 0
            ? "\(sign)\(units).\(rest / 10)" : "\(sign)\(units).\(rest < 10 ? "0" : "")\(rest)"
    }
}
