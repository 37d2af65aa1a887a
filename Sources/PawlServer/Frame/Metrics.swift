internal import Foundation
internal import Synchronization

/// Counters of the server in the text format of Prometheus (version 0.0.4).
final class Metrics: Sendable {
    /// What requests are counted by.
    struct Labels: Hashable {
        let part: String
        let method: String
        let status: Int
    }

    /// Upper ends of the buckets of a duration, in seconds.
    private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private struct Histogram {
        var counts = [Int](repeating: 0, count: Metrics.bounds.count + 1)
        var sum = 0.0

        mutating func add(_ seconds: Double) {
            counts[Metrics.bounds.firstIndex { seconds <= $0 } ?? Metrics.bounds.count] += 1
            sum += seconds
        }
    }

    private struct State {
        var requests: [Labels: Int] = [:]
        var durations: [String: Histogram] = [:]
        var sentBytes = 0
        var slowClients = 0
    }

    private let state = Mutex(State())
    private let started = Date()

    /// Counts an answered request.
    ///
    /// - Parameter seconds: from its head to the end of its answer.
    func count(_ labels: Labels, seconds: Double, bytes: Int) {
        state.withLock { state in
            state.requests[labels, default: 0] += 1
            state.durations[labels.part, default: Histogram()].add(seconds)
            state.sentBytes += bytes
        }
    }

    /// Counts a connection that was closed because its client did not send or take what it should have.
    func countSlowClient() { state.withLock { $0.slowClients += 1 } }

    /// Everything as text.
    ///
    /// - Parameter gauges: further values of this moment, with what they mean.
    func text(gauges: [(name: String, help: String, value: Double)]) -> String {
        let state = state.withLock { $0 }
        var lines = Self.head("pawl_http_requests_total", "Answered requests.", "counter")
        for (labels, count) in state.requests.sorted(by: { Self.order($0.key) < Self.order($1.key) }) {
            lines.append(
                "pawl_http_requests_total{part=\"\(labels.part)\",method=\"\(labels.method)\",status=\"\(labels.status)\"} \(count)"
            )
        }
        lines += Self.head(
            "pawl_http_request_seconds", "Time from the head of a request to the end of its answer.",
            "histogram")
        for (part, histogram) in state.durations.sorted(by: { $0.key < $1.key }) {
            lines += Self.lines(of: histogram, part: part)
        }
        lines += Self.counter(
            "pawl_http_sent_bytes_total", "Bytes of answers, without heads.", state.sentBytes)
        lines += Self.counter(
            "pawl_http_slow_clients_total", "Connections closed because their client was too slow.",
            state.slowClients)
        for gauge in gauges + [
            (
                name: "pawl_uptime_seconds", help: "Seconds since the start.",
                value: Date().timeIntervalSince(started)
            )
        ] {
            lines += Self.head(gauge.name, gauge.help, "gauge") + ["\(gauge.name) \(gauge.value)"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(of histogram: Histogram, part: String) -> [String] {
        var total = 0
        var lines: [String] = []
        for (bound, count) in zip(bounds.map { "\($0)" } + ["+Inf"], histogram.counts) {
            total += count
            lines.append("pawl_http_request_seconds_bucket{part=\"\(part)\",le=\"\(bound)\"} \(total)")
        }
        lines.append("pawl_http_request_seconds_sum{part=\"\(part)\"} \(histogram.sum)")
        lines.append("pawl_http_request_seconds_count{part=\"\(part)\"} \(total)")
        return lines
    }

    private static func order(_ labels: Labels) -> String {
        "\(labels.part) \(labels.method) \(labels.status)"
    }

    private static func counter(_ name: String, _ help: String, _ value: Int) -> [String] {
        head(name, help, "counter") + ["\(name) \(value)"]
    }

    private static func head(_ name: String, _ help: String, _ type: String) -> [String] {
        ["# HELP \(name) \(help)", "# TYPE \(name) \(type)"]
    }
}
