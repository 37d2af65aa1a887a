internal import Foundation
internal import PawlCore

/// Numbers in text.
enum Numbers {
    /// The number that the whole text is; nil when it is none.
    static func whole(_ text: String) -> Double? {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard
            let range = trimmed.wholeMatch(
                of: /[-+−]?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)?(\.[0-9]+)?([eE][-+]?[0-9]+)?/)?.range
        else { return nil }
        return value(trimmed[range])
    }

    /// The last number in the text, as in the customary reading of worked answers; nil when there is none.
    ///
    /// A sign counts when no letter, digit or closing bracket stands before it ("3-4" holds 3 and 4).
    static func last(in text: String) -> Double? {
        let number = /([0-9]{1,3}(,[0-9]{3})+(?![0-9])|[0-9]+)(\.[0-9]+)?([eE][-+]?[0-9]+)?|\.[0-9]+/
        guard let match = text.matches(of: number).last else { return nil }
        let before = text[..<match.range.lowerBound]
        guard let sign = before.last, "-+−".contains(sign) else { return value(match.output.0) }
        let hasOperand =
            before.dropLast().last.map { $0.isLetter || $0.isNumber || ")]}".contains($0) } ?? false
        let magnitude = value(match.output.0)
        return hasOperand || sign == "+" ? magnitude : magnitude.map { -$0 }
    }

    private static func value(_ text: Substring) -> Double? {
        let plain = text.filter { $0 != "," && $0 != "+" }.replacing("−", with: "-")
        let full =
            plain.hasPrefix(".") ? "0" + plain : plain.hasPrefix("-.") ? "-0" + plain.dropFirst() : plain
        return Double(full).flatMap { $0.isFinite ? $0 : nil }
    }

    /// Whether two numbers lie within a tolerance; the bound itself counts, whatever binary fractions do to it.
    static func isNear(_ value: Double, _ target: Double, tolerance: Double, relative: Bool) -> Bool {
        let bound = relative ? tolerance * abs(target) : tolerance
        let slack = 4 * max(abs(value), abs(target)).ulp
        return abs(value - target) <= (bound > 0 ? bound + slack : 0)
    }
}

/// A compiled regular expression (ICU's syntax).
struct Pattern {
    private let expression: NSRegularExpression

    /// Number of capture groups.
    var groups: Int { expression.numberOfCaptureGroups }

    init(_ text: String) throws {
        guard !text.isEmpty else { throw PawlError(.invalidArgument, "the pattern is empty") }
        do {
            expression = try NSRegularExpression(pattern: text)
        } catch {
            throw PawlError(.invalidArgument, "\"\(text)\" is not a regular expression")
        }
    }

    /// What a group captured in the first match; nil without a match, or when the group took no part in it.
    func firstMatch(in text: String, group: Int) -> String? {
        let all = NSRange(text.startIndex..., in: text)
        guard let match = expression.firstMatch(in: text, range: all) else { return nil }
        return Range(match.range(at: group), in: text).map { String(text[$0]) }
    }
}
