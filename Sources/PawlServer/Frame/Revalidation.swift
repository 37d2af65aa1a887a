internal import PawlCore

/// Strong entity tags, so that whoever asks again for what did not change gets no bytes (RFC 9110 13).
enum Revalidation {
    /// The reply with an entity tag, or 304 where the client has these very bytes.
    ///
    /// The tag is the digest of the bytes: the same answer has the same tag after a restart and from another server.
    static func apply(to reply: Reply, of call: Call) -> Reply {
        guard call.method == "GET", reply.status == 200, case .bytes(let bytes) = reply.content,
            reply.header("cache-control")?.contains("no-store") != true
        else { return reply }
        var reply = reply
        let tag = reply.header("etag") ?? "\"\(Digest(of: bytes).hex.prefix(32))\""
        if reply.header("etag") == nil { reply.headers.append((name: "etag", value: tag)) }
        guard let known = call.headers["if-none-match"], matches(known, tag) else { return reply }
        reply.status = 304
        reply.content = .bytes([])
        reply.headers.removeAll { $0.name.lowercased() == "content-type" }
        return reply
    }

    /// If-None-Match compares weakly: `W/` says nothing here.
    private static func matches(_ known: String, _ tag: String) -> Bool {
        known.split(separator: ",").contains { part in
            let text = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            let plain = String(text)
            return plain == "*" || plain == tag || plain == "W/" + tag
        }
    }
}
