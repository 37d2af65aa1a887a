/// What browsers are told about every answer.
enum SecurityHeaders {
    /// A document of ours takes styles, scripts, pictures and events from here and nothing from elsewhere; nobody may
    /// frame it. Inline scripts and styles do not run unless a handler names their hash in a policy of its own.
    static let documentPolicy = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
        form-action 'self'; base-uri 'none'; frame-ancestors 'none'
        """
    /// What is no document loads nothing.
    static let dataPolicy = "default-src 'none'; frame-ancestors 'none'"

    /// The reply with the headers that its handler did not give.
    static func added(to reply: Reply) -> Reply {
        var reply = reply
        let isDocument = reply.header("content-type")?.hasPrefix("text/html") ?? false
        // Referrers stay within the origin; "no-referrer" would make browsers send "Origin: null" with our own forms.
        let usual = [
            ("content-security-policy", isDocument ? documentPolicy : dataPolicy),
            ("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"), ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
            ("cache-control", reply.header("etag") == nil ? "no-store" : "private, no-cache"),
        ]
        for (name, value) in usual where reply.header(name) == nil {
            // 304 says that the page is as it was, and headers beside it replace those the browser has kept: a policy
            // for what is no document would take the page its styles.
            if reply.status == 304, name == "content-security-policy" { continue }
            reply.headers.append((name: name, value: value))
        }
        return reply
    }
}

extension Reply {
    /// The first value of a header; the name in lower case.
    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
}
