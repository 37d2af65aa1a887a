internal import Foundation
internal import PawlCore

/// How figures are written for people.
enum Format {
    /// 1234567 -> "1.2 MB" (powers of 1000).
    static func bytes(_ count: Int64) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return unit == "B" ? "\(count) B" : String(format: "%.1f %@", value, unit) }
            value /= 1000
        }
        return String(format: "%.1f TB", value)
    }

    /// 1, "suite" -> "1 suite"; 2, "suite" -> "2 suites".
    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// 0.0213 -> "+2.1": a difference in points (hundredths).
    static func points(_ difference: Double) -> String { String(format: "%+.1f", difference * 100) }

    /// Seconds as "45s", "3m10s", "2h05m".
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole)s" }
        if whole < 3600 { return String(format: "%dm%02ds", whole / 60, whole % 60) }
        return String(format: "%dh%02dm", whole / 3600, whole % 3600 / 60)
    }

    /// A moment in the reader's time zone, to the minute.
    static func time(_ timestamp: Timestamp) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd HH:mm"
        return formatter.string(from: timestamp.date)
    }
}
