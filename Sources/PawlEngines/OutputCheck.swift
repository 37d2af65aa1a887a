internal import Foundation
internal import PawlCore
internal import PawlModel

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Compares what an engine says it wrote with what lies on disk.
struct OutputCheck {
    /// Name of the engine, for errors.
    let engine: String

    /// Re-hashes an output directory: exactly the listed files, each with its size and digest, a model's or an adapter's.
    ///
    /// - Parameter model: where an adapter's modules must be; nil when that was checked before.
    func files(in output: URL, listed: [OutputFile], model: (any WeightSource)? = nil) throws -> [OutputFile]
    {
        var expected: [String: OutputFile] = [:]
        for file in listed {
            guard RelativePath.isPlain(file.path) else {
                throw fail("it lists \"\(file.path)\", which is no path inside the output directory")
            }
            guard expected.updateValue(file, forKey: file.path) == nil else {
                throw fail("it lists \(file.path) twice")
            }
        }
        let found = try regularFiles(in: output, prefix: "")
        if let extra = found.subtracting(expected.keys).min() {
            throw fail("\(output.path) holds \(extra), which the result does not list")
        }
        if let missing = Set(expected.keys).subtracting(found).min() {
            throw fail("the result lists \(missing), which is not in \(output.path)")
        }
        let files = listed.sorted { $0.path < $1.path }
        try Parallel.forEach(files.count) { index in
            let file = files[index]
            let (digest, size) = try Self.hash(output.appending(path: file.path))
            guard size == file.size else {
                throw fail("\(file.path) has \(size) bytes, the result says \(file.size)")
            }
            guard digest == file.sha256 else {
                throw fail("\(file.path) has the SHA-256 \(digest.hex), the result says \(file.sha256.hex)")
            }
        }
        if Adapter.isAdapter(found) {
            try check(output, model: model)
            return files
        }
        guard found.contains("config.json"), found.contains(where: { $0.hasSuffix(".safetensors") }) else {
            throw fail(
                "\(output.path) is no model directory (config.json or a .safetensors file is missing), "
                    + "and no adapter (\(Adapter.configuration) is missing)")
        }
        return files
    }

    /// Checks an adapter's directory; `model` as above.
    func check(_ adapter: URL, model: (any WeightSource)?) throws {
        do {
            let adapter = try Adapter(adapter)
            if let model { try adapter.check(against: model) }
        } catch let error as PawlError { throw fail(error.message) }
    }

    /// Every regular file of an output directory that this process wrote itself, sorted by path.
    func inventory(of output: URL) throws -> [OutputFile] {
        try regularFiles(in: output, prefix: "").sorted().map { path in
            let (digest, size) = try Self.hash(output.appending(path: path))
            return OutputFile(path: path, sha256: digest, size: size)
        }
    }

    /// Reads and checks `items.jsonl`: one well-formed answer for each item of the request, in its order.
    func answers(
        at path: String, workdir: URL, sha256: Digest, count: Int, items: [RequestItem]
    ) throws -> [ItemAnswer] {
        let url = path.hasPrefix("/") ? URL(filePath: path) : workdir.appending(path: path)
        try checkInside(url, workdir)
        let bytes = try Files.read(url)
        let digest = Digest(of: bytes)
        guard digest == sha256 else {
            throw fail("\(path) has the SHA-256 \(digest.hex), the result says \(sha256.hex)")
        }
        var answers: [String: ItemAnswer] = [:]
        let lines = JSON.lines(bytes)
        guard lines.count == count else {
            throw fail("\(path) has \(lines.count) answers, the result says \(count)")
        }
        let known = Dictionary(items.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for line in lines {
            let answer: ItemAnswer
            do {
                answer = try JSON.decode(
                    ItemAnswer.self, from: line.bytes, source: path, line: line.number)
            } catch let error as PawlError { throw fail(error.message) }
            guard let item = known[answer.id] else {
                throw fail("\(path), line \(line.number): \"\(answer.id)\" is no item of the request")
            }
            guard answers.updateValue(answer, forKey: answer.id) == nil else {
                throw fail("\(path), line \(line.number): a second answer to the item \"\(answer.id)\"")
            }
            if let reason = item.mismatch(answer.outcome) {
                throw fail("\(path), line \(line.number), item \"\(answer.id)\": \(reason)")
            }
        }
        let missing = items.filter { answers[$0.id] == nil }
        if let first = missing.first {
            throw fail(
                """
                \(path) leaves out \(missing.count) of \(items.count) items, first "\(first.id)" \
                (an item that failed is answered with "error")
                """)
        }
        return items.compactMap { answers[$0.id] }
    }

    private func checkInside(_ url: URL, _ workdir: URL) throws {
        var status = stat()
        guard lstat(url.path, &status) == 0 else { throw fail("there is no items file \(url.path)") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw fail("\(url.path) is not a regular file") }
        let real = url.resolvingSymlinksInPath().standardizedFileURL.path
        guard real.hasPrefix(workdir.resolvingSymlinksInPath().standardizedFileURL.path + "/") else {
            throw fail("\(url.path) is outside the working directory \(workdir.path)")
        }
    }

    private func regularFiles(in directory: URL, prefix: String) throws -> Set<String> {
        var status = stat()
        guard lstat(directory.path, &status) == 0 else { throw fail("there is no output \(directory.path)") }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw fail("\(directory.path) is not a directory") }
        var found: Set<String> = []
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            let url = directory.appending(path: name)
            guard lstat(url.path, &status) == 0 else { throw Files.error("look at", url.path) }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: found.formUnion(try regularFiles(in: url, prefix: prefix + name + "/"))
            case S_IFREG: found.insert(prefix + name)
            case S_IFLNK: throw fail("\(url.path) is a symbolic link; an output holds regular files only")
            default: throw fail("\(url.path) is a special file; an output holds regular files only")
            }
        }
        return found
    }

    /// Digest and size of a file, read in pieces.
    static func hash(_ url: URL) throws -> (Digest, Int64) {
        let file: FileHandle
        do {
            file = try FileHandle(forReadingFrom: url)
        } catch { throw PawlError(.io, "cannot read \(url.path)", underlying: error) }
        defer { try? file.close() }
        var hasher = SHA256()
        var size: Int64 = 0
        while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
            piece.withUnsafeBytes { hasher.update($0) }
            size += Int64(piece.count)
        }
        return (hasher.finish(), size)
    }

    private func fail(_ reason: String) -> PawlError {
        PawlError(.engine, "engine \"\(engine)\": \(reason)", hint: "nothing of this result is kept")
    }
}

/// What the host needs to know of an item to check its answer.
struct RequestItem: Decodable {
    let id: String
    let choices: [String]?
    /// The harness's own name of the item; where it has one, the engine scores it.
    let document: String?

    /// Reads the file that the host wrote for the engine.
    static func read(_ file: FileInput) throws -> [RequestItem] {
        let bytes = try Files.read(file.path)
        let digest = Digest(of: bytes)
        guard digest == file.sha256 else {
            throw PawlError(
                .evidenceInvalid,
                "\(file.path.path) has the SHA-256 \(digest.hex), the request says \(file.sha256.hex)")
        }
        return try JSON.decodeLines(Self.self, from: bytes, source: file.path.path)
    }

    /// Why an answer does not fit the item; nil when it does.
    func mismatch(_ outcome: ItemAnswer.Outcome) -> String? {
        if case .failure = outcome { return nil }
        if document != nil {
            guard case .score = outcome else { return "it belongs to a task, but the answer gives no score" }
            return nil
        }
        switch (outcome, choices) {
        case (.failure, _): return nil
        case (.score, _): return "it belongs to no task, but the answer gives a score"
        case (.generation, nil): return nil
        case (.generation, _?): return "it has choices, but the answer is a generation"
        case (.choices, nil): return "it has no choices, but the answer gives log-likelihoods"
        case (.choices(let values, let tokens), let choices?):
            return values.count == choices.count && tokens.count == choices.count
                ? nil
                : """
                it has \(choices.count) choices, the answer gives \(values.count) log-likelihoods \
                and \(tokens.count) token counts
                """
        }
    }
}
