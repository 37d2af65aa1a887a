internal import Foundation
internal import PawlCore
internal import PawlModel

/// What a killed training goes on from: the newest step whose files are all there.
///
/// A state is written into `step-N.partial` and renamed when every byte is on the disk, and only then is the one before
/// removed, so that a kill at any instant leaves one. It is used by the very same request alone.
struct TrainingState {
    private let directory: URL
    private let identity: Digest

    /// What `state.json` says.
    private struct Record: Codable {
        let identity: Digest
        let step: Int
    }

    init(_ directory: URL, identity: Digest) {
        self.directory = directory
        self.identity = identity
    }

    /// Reads the newest state into the parameters, and says how many steps it has done; 0 when there is none.
    func restore(_ parameters: [(name: String, values: FloatBuffer)]) throws -> Int {
        guard let step = try latest() else { return 0 }
        let folder = folder(step)
        for (name, values) in parameters {
            let url = folder.appending(path: name)
            let handle = try FileHandle(forReadingFrom: url)
            defer { try? handle.close() }
            let buffer = UnsafeMutableRawBufferPointer(values.values)
            var done = 0
            while done < buffer.count,
                let part = try handle.read(upToCount: min(1 << 24, buffer.count - done)), !part.isEmpty
            {
                part.copyBytes(to: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
                done += part.count
            }
            guard done == buffer.count else {
                throw PawlError(
                    .corrupt, "\(url.path): \(done) bytes, \(buffer.count) expected",
                    hint: "remove \(directory.path)")
            }
        }
        return step
    }

    private func latest() throws -> Int? {
        guard Files.isDirectory(directory) else { return nil }
        let steps = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            .compactMap { $0.hasPrefix("step-") ? Int($0.dropFirst("step-".count)) : nil }
        for step in steps.sorted(by: >) {
            let url = folder(step).appending(path: "state.json")
            let record = try JSON.decode(Record.self, from: Files.read(url), source: url.path)
            if record.identity == identity, record.step == step { return step }
        }
        return nil
    }

    private func folder(_ step: Int) -> URL { directory.appending(path: "step-\(step)") }

    /// Keeps the state after `step` steps, and removes what came before.
    func save(_ step: Int, _ parameters: [(name: String, values: FloatBuffer)]) throws {
        try Files.createDirectory(directory)
        let partial = directory.appending(path: "step-\(step).partial")
        try Files.remove(partial)
        try Files.createDirectory(partial)
        for (name, values) in parameters {
            try Files.writeAtomically(
                UnsafeRawBufferPointer(values.values), to: partial.appending(path: name))
        }
        try Files.writeAtomically(
            JSON.canonical(Record(identity: identity, step: step)), to: partial.appending(path: "state.json"))
        try Files.remove(folder(step))
        try Files.rename(partial, to: folder(step))
        try Files.syncDirectory(directory)
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path)
        where name.hasPrefix("step-") && name != "step-\(step)" {
            try Files.remove(directory.appending(path: name))
        }
    }
}
