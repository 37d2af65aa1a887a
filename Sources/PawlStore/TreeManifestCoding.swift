internal import PawlCore

extension TreeManifest: Codable {
    private enum Keys: String, CodingKey { case type, version, entries }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        let type = try container.decode(String.self, forKey: .type)
        let version = try container.decode(Int.self, forKey: .version)
        guard type == "tree", version == 1 else {
            throw PawlError(
                .unsupported,
                "a document of type \"\(type.escaped)\" and version \(version) is no tree that this Pawl knows"
            )
        }
        try self.init(checking: try container.decode([Entry].self, forKey: .entries))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode("tree", forKey: .type)
        try container.encode(1, forKey: .version)
        try container.encode(entries, forKey: .entries)
    }
}

extension TreeManifest.Entry: Codable {
    private enum Keys: String, CodingKey { case path, mode, kind, size, blob, header, tensors }
    private enum Kind: String, Codable { case directory, file, safetensors }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        path = try container.decode(String.self, forKey: .path)
        mode = try container.decode(Int.self, forKey: .mode)
        switch try container.decode(Kind.self, forKey: .kind) {
        case .directory: content = .directory
        case .file:
            content = .file(
                size: try container.decode(Int.self, forKey: .size),
                blob: try container.decode(Digest.self, forKey: .blob))
        case .safetensors:
            content = .safetensors(
                size: try container.decode(Int.self, forKey: .size),
                header: try container.decode(Digest.self, forKey: .header),
                tensors: try container.decode([TreeManifest.TensorEntry].self, forKey: .tensors))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(path, forKey: .path)
        try container.encode(mode, forKey: .mode)
        switch content {
        case .directory: try container.encode(Kind.directory, forKey: .kind)
        case .file(let size, let blob):
            try container.encode(Kind.file, forKey: .kind)
            try container.encode(size, forKey: .size)
            try container.encode(blob, forKey: .blob)
        case .safetensors(let size, let header, let tensors):
            try container.encode(Kind.safetensors, forKey: .kind)
            try container.encode(size, forKey: .size)
            try container.encode(header, forKey: .header)
            try container.encode(tensors, forKey: .tensors)
        }
    }
}
