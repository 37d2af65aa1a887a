public import PawlCore

extension Store {
    /// Stores a small byte string (canonical JSON, evidence, a journal entry); its name is the SHA-256 of the bytes.
    ///
    /// When it returns, the document survives a power cut. Storing it again changes nothing, or repairs it
    /// when it was damaged. `invalidArgument` for more than 64 MiB or bytes that begin like a tensor object.
    @discardableResult
    public func putDocument(_ bytes: [UInt8]) throws -> Digest {
        guard ObjectKind(magic: bytes.prefix(8)) == .document else {
            throw PawlError(.invalidArgument, "a document cannot begin with the mark of a tensor object")
        }
        return try publishing { publisher in
            let placed = try publisher.publish([bytes])
            try publisher.sync()
            return placed.digest
        }
    }

    /// The bytes of a document, checked against its name; `notFound` or `corrupt` otherwise.
    public func document(_ digest: Digest) throws -> [UInt8] {
        let bytes = try objectBytes(digest)
        guard ObjectKind(magic: bytes.prefix(8)) == .document else {
            throw PawlError(.notFound, "object \(digest) is part of a tensor, not a document")
        }
        return bytes
    }

    /// True when the store holds a document of this name (its bytes are not checked).
    public func hasDocument(_ digest: Digest) -> Bool {
        (try? objectKind(digest)) == .document
    }

    /// Every document, sorted; the manifests of trees are among them. Their bytes are not checked.
    public func documents() throws -> [Digest] {
        try objectNames().filter { try objectKind($0) == .document }
    }
}
