internal import Foundation
internal import PawlCore

/// What an object is, by its first eight bytes.
enum ObjectKind: Sendable {
    case document
    /// The head of a tensor or blob, with its payload when that fits.
    case head
    /// More payload of a tensor.
    case part

    static let headMagic = Array("PAWLTNSR".utf8)
    static let partMagic = Array("PAWLPART".utf8)

    init(magic: some Sequence<UInt8>) {
        if magic.elementsEqual(Self.headMagic) {
            self = .head
        } else if magic.elementsEqual(Self.partMagic) {
            self = .part
        } else {
            self = .document
        }
    }
}

extension Store {
    /// Every file that has the place and name of an object, sorted.
    func objectNames() throws -> [Digest] { try digestNames(in: objects) }

    /// Every tensor that has an index file, sorted.
    func pointerNames() throws -> [Digest] { try digestNames(in: pointers) }

    private func digestNames(in directory: URL) throws -> [Digest] {
        try FileAccess.names(in: directory.path).flatMap { prefix in
            let folder = directory.appending(path: prefix)
            guard prefix.utf8.count == 2, Files.isDirectory(folder) else { return [Digest]() }
            return try FileAccess.names(in: folder.path).compactMap { name in
                name.hasPrefix(prefix) ? Digest(hex: name) : nil
            }
        }
    }

    /// What an object says it is; the rest of its bytes is not checked.
    func objectKind(_ digest: Digest) throws -> ObjectKind {
        ObjectKind(magic: try openObject(digest).bytes(0..<8))
    }

    /// Opens an object; `notFound` when there is none of this name.
    func openObject(_ digest: Digest) throws -> FileReader {
        let url = url(ofObject: digest)
        guard Files.exists(url) else {
            throw PawlError(.notFound, "there is no object \(digest) in the store \(root.path)")
        }
        return try FileReader(url.path)
    }

    /// Opens an object that something in the store names, which must therefore be there: `corrupt` when it is not.
    func openNamedObject(_ digest: Digest) throws -> FileReader {
        do {
            return try openObject(digest)
        } catch let error as PawlError where error.code == .notFound {
            throw PawlError(
                .corrupt, "object \(digest) is missing from the store \(root.path)",
                hint: "run `pawl verify` to see what it affects")
        }
    }

    /// All bytes of an object, checked against its name.
    func objectBytes(_ digest: Digest) throws -> [UInt8] {
        let reader = try openObject(digest)
        let bytes = try reader.bytes(0..<(try reader.size()))
        guard Digest(of: bytes) == digest else { throw Self.damaged(digest) }
        return bytes
    }

    /// The error for an object whose bytes do not fit its name.
    static func damaged(_ digest: Digest) -> PawlError {
        PawlError(
            .corrupt, "object \(digest) is damaged: its bytes do not have the SHA-256 that it is named by",
            hint: "run `pawl verify` to see what it affects")
    }

    /// The head object that the index names for a tensor; nil when there is no index file, `corrupt` for a bad one.
    func pointer(_ tensor: Digest) throws -> Digest? {
        let url = url(ofPointer: tensor)
        guard Files.exists(url) else { return nil }
        let bytes = try FileReader(url.path).bytes(0..<(2 * Digest.byteCount + 2))
        guard bytes.count == 2 * Digest.byteCount + 1, bytes.last == 0x0A,
            let head = Digest(hex: String(decoding: bytes.dropLast(), as: UTF8.self))
        else {
            throw PawlError(.corrupt, "the index file \(Self.name(ofPointer: tensor)) is damaged")
        }
        return head
    }
}
