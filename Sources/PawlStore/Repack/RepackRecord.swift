internal import Foundation
internal import PawlCore

/// What repacking has finished: families that need no second look as long as their tensors are in the same objects.
///
/// A text file beside the objects, `repacked`: a line for each family, the digest of what was asked and the digest of
/// the objects that answered it. It is written when what it says is on disk. A damaged or lost file costs time and
/// nothing else.
struct RepackRecord {
    private let store: Store
    private var file: URL { store.root.appending(path: "repacked") }
    private var answers: [Digest: Digest] = [:]

    init(_ store: Store) {
        self.store = store
        let text = (try? Files.read(file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let question = Digest(hex: words[0]), let answer = Digest(hex: words[1])
            else { continue }
            answers[question] = answer
        }
    }

    /// What is asked of a family: its tensors, what each may be written against, codec and level.
    static func question(_ family: TensorFamilies.Family, _ level: EncodingLevel) -> Digest {
        var hasher = SHA256()
        hasher.update(Array("repack 1 \(Codecs.current.identity) \(level.rawValue)\n".utf8))
        for member in family.members {
            hasher.update(Array("\(member.piece.digest) \(member.bases)\n".utf8))
        }
        return hasher.finish()
    }

    /// The objects that hold tensors, as one digest; nil when the index does not know them all.
    static func answer(_ store: Store, _ tensors: [Digest]) -> Digest? {
        var hasher = SHA256()
        for tensor in tensors {
            guard let head = try? store.pointer(tensor) else { return nil }
            hasher.update(head.bytes)
        }
        return hasher.finish()
    }

    func isDone(_ question: Digest, _ answer: Digest?) -> Bool {
        answer != nil && answers[question] == answer
    }

    /// Notes what is done, durably.
    mutating func add(_ done: [(question: Digest, answer: Digest)]) throws {
        guard !done.isEmpty else { return }
        for line in done { answers[line.question] = line.answer }
        try write()
    }

    /// Forgets all but these questions, which are those of the present history.
    mutating func keep(_ questions: Set<Digest>) throws {
        let kept = answers.filter { questions.contains($0.key) }
        guard kept.count < answers.count else { return }
        answers = kept
        try write()
    }

    /// Replaces the file by way of `staging/`, where a collection finds what a kill leaves.
    private func write() throws {
        let lines = answers.sorted { $0.key < $1.key }.flatMap { Array("\($0.key) \($0.value)\n".utf8) }
        let temporary = store.staging.appending(path: UUID().uuidString)
        try FileAccess.create(temporary.path, mode: 0o644) { descriptor in
            try lines.withBytes { try Files.writeAll($0, to: descriptor, path: file.path) }
        }
        store.observer?(.rename(to: file.path))
        try FileAccess.move(temporary.path, to: file.path)
        try Files.syncDirectory(store.root)
    }
}
