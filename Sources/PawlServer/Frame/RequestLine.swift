internal import Foundation
public import PawlCore

/// A line of the request log (schemas/request-line.json): who asked what when, and how it went.
///
/// It has no query and no body: those hold prompts and searches.
public struct RequestLine: Codable, Sendable, CustomStringConvertible {
    /// When the head was here.
    public var time: Timestamp
    /// Name of the token; nil without one.
    public var client: String?
    /// The method, `OTHER` for one that HTTP does not name.
    public var method: String
    /// The path without its query, as it came; characters that would start a new line are escaped.
    public var path: String
    /// Status of the answer.
    public var status: Int
    /// Bytes of the answer that were sent, without its head.
    public var bytes: Int
    /// Seconds from the head of the request to the end of the answer.
    public var seconds: Double

    private enum CodingKeys: String, CodingKey { case time, client, method, path, status, bytes, seconds }

    init(_ head: RequestHead, status: Int, bytes: Int, since started: Date, client: String?) {
        time = Timestamp(milliseconds: Int64((started.timeIntervalSince1970 * 1000).rounded()))
        self.client = client
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
        method = known.contains(head.method) ? head.method : "OTHER"
        path = String(head.target.prefix { $0 != "?" }.prefix(200)).escaped
        self.status = status
        self.bytes = bytes
        seconds = (Date().timeIntervalSince(started) * 1e6).rounded() / 1e6
    }

    /// The part of the server that a path belongs to: few values, whatever clients ask for.
    var part: String {
        let parts = path.split(separator: "/")
        return switch parts.first {
        case "api": "api"
        case "v1", "tokenize", "detokenize", "tokenizer_info": "models"
        case "healthz", "readyz", "metrics": "health"
        default: "pages"
        }
    }

    /// The line as text.
    public var description: String {
        let milliseconds = String(format: "%.1f", seconds * 1000)
        return "\(time) \(client ?? "-") \(method) \(path) \(status) \(bytes) B \(milliseconds) ms"
    }
}
