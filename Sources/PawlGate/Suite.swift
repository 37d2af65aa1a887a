public import Foundation
public import PawlCore

/// How the items of a suite become one score.
public enum Metric: String, Codable, Sendable, CaseIterable {
    /// Share of items that are right; compared by Tango's score bounds.
    case accuracy
    /// Mean of scores in 0...1; compared by the paired t, clustered where items name a cluster.
    case mean
}

/// The largest loss on a suite that still counts as "no worse", as a fraction.
public enum Margin: Codable, Sendable, Hashable {
    /// Declared by the suite's author.
    case fraction(Double)
    /// The smallest that the suite's size can certify (``Power/automaticMargin(metric:count:flipRate:alpha:power:suites:)``).
    case automatic

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            guard text == "auto" else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "\"\(text)\" is neither a fraction nor \"auto\"")
            }
            self = .automatic
            return
        }
        let value = try container.decode(Double.self)
        guard value > 0, value < 1 else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "\(value) is not a fraction above 0 and below 1 (5 points are 0.05)")
        }
        self = .fraction(value)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .fraction(let value): try container.encode(value)
        case .automatic: try container.encode("auto")
        }
    }
}

/// How an engine answers the items of a suite; greedy always.
public struct Decoding: Codable, Sendable, Hashable {
    /// Whether the prompt goes through the model's chat template or is fed as it is.
    public enum Template: String, Codable, Sendable, CaseIterable { case chat, raw }

    /// Whether the prompt goes through the model's chat template or is fed as it is.
    public var template = Template.chat
    /// Longest answer in tokens; an answer that reaches it is truncated and scores 0.
    public var maxTokens = 64
    /// Strings that end an answer and are cut off.
    public var stop: [String] = []

    /// The default: chat template, 64 tokens, no stop strings.
    public init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable { case template, maxTokens = "max_tokens", stop }

    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let text = try container.decodeIfPresent(String.self, forKey: .template) {
            guard let value = Template(rawValue: text) else {
                throw decoder.failure(CodingKeys.template, "\"\(text)\" is not one of chat, raw")
            }
            template = value
        }
        maxTokens = try container.integerIfPresent(.maxTokens) ?? maxTokens
        guard maxTokens >= 1 else {
            throw decoder.failure(CodingKeys.maxTokens, "\(maxTokens) is less than 1")
        }
        stop = try container.decodeIfPresent([String].self, forKey: .stop) ?? []
        guard !stop.contains("") else {
            throw decoder.failure(CodingKeys.stop, "a stop string must not be empty")
        }
    }
}

/// `suite.json`: what a suite measures and how.
public struct SuiteManifest: Codable, Sendable, Hashable {
    /// Name of the suite.
    public let name: String
    /// Version of the suite.
    public let version: String
    /// What it measures, in a sentence.
    public let description: String
    /// The task family, by which reports tell rehearsed suites from others; the name where none is given.
    public let family: String
    /// How the items become one score.
    public let metric: Metric
    /// The largest loss that counts as "no worse".
    public let margin: Margin
    /// File of the items, in the folder of the manifest.
    public let items: String
    /// How an engine answers.
    public let decoding: Decoding
    /// How an answer is scored.
    public let grader: Grader
    /// The licence of the items.
    public let licence: String?
    /// Number of parts in which the items are used, one after the other, until they decide; 1 uses all at once.
    public let looks: Int
    /// Share of the items that stay closed until a promotion hangs on them; 0 for none.
    public let sealed: Double
    /// Where the items come from.
    public let source: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, version, description, family, metric, margin, items, decoding, grader, looks, sealed,
            licence,
            source
    }

    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        try decoder.checkName(name, CodingKeys.name)
        version = try container.decode(String.self, forKey: .version)
        try decoder.checkVersion(version, CodingKeys.version)
        description = try container.decodeIfPresent(String.self, forKey: .description) ?? ""
        family = try container.decodeIfPresent(String.self, forKey: .family) ?? name
        let metricText = try container.decode(String.self, forKey: .metric)
        guard let metric = Metric(rawValue: metricText) else {
            throw decoder.failure(CodingKeys.metric, "\"\(metricText)\" is not one of accuracy, mean")
        }
        self.metric = metric
        margin = try container.decode(Margin.self, forKey: .margin)
        items = try container.decodeIfPresent(String.self, forKey: .items) ?? "items.jsonl"
        try decoder.checkFile(items, CodingKeys.items)
        decoding = try container.decodeIfPresent(Decoding.self, forKey: .decoding) ?? Decoding()
        grader = try container.decode(Grader.self, forKey: .grader)
        if metric == .accuracy, !grader.isBinary {
            throw decoder.failure(
                CodingKeys.metric, "the grader \(grader.kind) gives partial credit; the metric must be mean")
        }
        if grader.engine != nil, decoding.maxTokens != Decoding().maxTokens || !decoding.stop.isEmpty {
            throw decoder.failure(
                CodingKeys.decoding,
                "the task of the grader says where an answer ends; only template may be given")
        }
        looks = try container.integerIfPresent(.looks) ?? 1
        guard (1...Suite.mostLooks).contains(looks) else {
            throw decoder.failure(CodingKeys.looks, "\(looks) is not in 1...\(Suite.mostLooks)")
        }
        sealed = try container.decodeIfPresent(Double.self, forKey: .sealed) ?? 0
        guard 0...0.5 ~= sealed else {
            throw decoder.failure(CodingKeys.sealed, "\(sealed) is not in 0...0.5")
        }
        licence = try container.decodeIfPresent(String.self, forKey: .licence)
        source = try container.decodeIfPresent(String.self, forKey: .source)
    }
}

/// Items with a metric and a margin: what measures a skill, or guards an ability that the base had.
public struct Suite: Sendable, Hashable {
    /// `suite.json`.
    public let manifest: SuiteManifest
    /// The items that are open to every measurement, in the order of the file.
    public let items: [SuiteItem]
    /// The items that stay closed until a promotion hangs on them, in the order of the file.
    public let sealedItems: [SuiteItem]
    /// True where `items` are the sealed ones.
    public let isSealed: Bool
    /// SHA-256 of canonical `suite.json`, a line feed, and the bytes of the items; where a program grades, a line feed and
    /// the SHA-256 of the program in hexadecimal digits after that; where an engine grades, a line feed, the SHA-256 and the
    /// name of each file of its task.
    public let digest: Digest
    /// Which look these items are for; nil for all of them.
    public let look: Look?
    /// The bytes of an external grader's program; nil for any other grader.
    let program: [UInt8]?
    /// The files of an engine's task, in the order of the manifest; none for any other grader.
    public let files: [SuiteFile]

    /// Number of parts in which the items are used.
    public var looks: Int { isSealed ? 1 : manifest.looks }

    /// Name of the suite.
    public var name: String { manifest.name }
    /// Version of the suite.
    public var version: String { manifest.version }
    /// How the items become one score.
    public var metric: Metric { manifest.metric }

    /// What the comparison counts as independent: items for accuracy, clusters for a clustered mean.
    ///
    /// It is the `count` that an automatic margin is computed from.
    public var units: Int {
        guard metric == .mean else { return items.count }
        return Set(items.compactMap(\.cluster)).count + items.count { $0.cluster == nil }
    }

    /// Reads and checks a suite folder, or the suite in a skill folder.
    ///
    /// - Parameter manifest: the name of the manifest in the folder.
    public init(loading folder: URL, manifest: String = "suite.json") throws {
        let file = folder.appending(path: manifest)
        let bytes = try Files.read(file)
        let parsed = try JSON.decode(SuiteManifest.self, from: bytes, source: file.path)
        let itemsFile = folder.appending(path: parsed.items)
        var program: [UInt8]?
        if case .external(let grader) = parsed.grader {
            program = try Files.read(folder.appending(path: grader.program))
        }
        let files = try (parsed.grader.engine?.files ?? []).map {
            SuiteFile(name: $0, bytes: try Files.read(folder.appending(path: $0)))
        }
        try self.init(
            manifest: bytes, source: file.path, items: Files.read(itemsFile), itemsSource: itemsFile.path,
            program: program, files: files)
    }

    /// Makes a suite from the bytes of its two files; the sources are what errors call them.
    public init(
        manifest bytes: [UInt8], source: String = "suite.json",
        items itemBytes: [UInt8], itemsSource: String = "items.jsonl", program: [UInt8]? = nil,
        files: [SuiteFile] = []
    ) throws {
        manifest = try JSON.decode(SuiteManifest.self, from: bytes, source: source)
        let all = try Self.read(itemBytes, source: itemsSource, manifest: manifest)
        let share = manifest.sealed
        items = all.filter { !Self.isSealed($0.digest, share: share) }
        sealedItems = all.filter { Self.isSealed($0.digest, share: share) }
        isSealed = false
        self.program = program
        self.files = files
        let described = try JSON.canonical(JSON.parse(bytes, source: source)) + [0x0A] + itemBytes
        let beside =
            program.map { [Digest(of: $0).hex] } ?? files.map { "\(Digest(of: $0.bytes).hex)  \($0.name)" }
        digest = Digest(of: beside.reduce(described) { $0 + [0x0A] + Array($1.utf8) })
        look = nil
        guard !items.isEmpty, share == 0 || !sealedItems.isEmpty else {
            throw PawlError(
                .invalidArgument, "\(itemsSource): \(all.count) items are too few to seal a share of \(share)"
            )
        }
        for stage in 0..<manifest.looks
        where !items.contains(where: { Self.stage(of: $0.digest, looks: manifest.looks) == stage }) {
            throw PawlError(
                .invalidArgument,
                "\(itemsSource): \(items.count) items are too few for \(manifest.looks) looks: one of them has none"
            )
        }
    }

    private init(_ whole: Suite, items: [SuiteItem], look: Look?, isSealed: Bool) {
        manifest = whole.manifest
        self.items = items
        sealedItems = whole.sealedItems
        self.isSealed = isSealed
        program = whole.program
        files = whole.files
        digest = whole.digest
        self.look = look
    }

    /// The same suite with a part of its items.
    func taking(_ items: [SuiteItem], look: Look?) -> Suite {
        Suite(self, items: items, look: look, isSealed: false)
    }

    /// The sealed items; nil when the suite has none.
    public var sealed: Suite? {
        sealedItems.isEmpty || isSealed ? nil : Suite(self, items: sealedItems, look: nil, isSealed: true)
    }

    /// Whether an item is sealed: by a part of its digest, so that it never depends on other items.
    static func isSealed(_ item: Digest, share: Double) -> Bool { item.fraction(ofWord: 0) < share }

    /// What an engine is given: JSONL without targets, one request an item, in the order of the items.
    public func requests() throws -> [UInt8] {
        try JSON.canonicalLines(
            items.map { item in
                Request(
                    id: item.id,
                    input: manifest.decoding.template == .chat ? .messages(item.input.messages) : item.input,
                    choices: item.choices.isEmpty ? nil : item.choices, document: item.document)
            })
    }

    private struct Request: Encodable {
        let id: String
        let input: PromptInput
        let choices: [String]?
        let document: String?

        enum CodingKeys: String, CodingKey { case id, choices, document }

        func encode(to encoder: any Encoder) throws {
            try input.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(id, forKey: .id)
            try container.encodeIfPresent(choices, forKey: .choices)
            try container.encodeIfPresent(document, forKey: .document)
        }
    }

    private static func read(_ bytes: [UInt8], source: String, manifest: SuiteManifest) throws -> [SuiteItem]
    {
        let records = try StrictJSON.decodeLines(SuiteItem.self, from: bytes, source: source)
        guard !records.isEmpty else { throw PawlError(.invalidArgument, "\(source): there is no item in it") }
        var ids: [String: Int] = [:]
        var contents: [Digest: Int] = [:]
        for (line, item) in records {
            if let (field, reason) = manifest.grader.problem(with: item) {
                throw StrictJSON.error(source, line: line, field: field, reason)
            }
            if manifest.decoding.template == .raw, case .messages = item.input {
                throw StrictJSON.error(
                    source, line: line, field: "messages",
                    "the suite's template is raw, which takes a prompt and no messages")
            }
            if let first = ids.updateValue(line, forKey: item.id) {
                throw StrictJSON.error(
                    source, line: line, field: "id", "\"\(item.id)\" is the id of line \(first) too")
            }
            if let first = contents.updateValue(line, forKey: item.digest) {
                throw StrictJSON.error(
                    source, line: line, field: item.inputField,
                    "the item has the same content as the one in line \(first)",
                    hint: "items are paired by content, so each content may stand in a suite once")
            }
        }
        return records.map(\.value)
    }
}
