import Foundation
import PawlCore
import PawlModel

/// Does one work of the benchmark again and again, each time when told to (tools/bench/engine/run tells it, and its peer).
///
///     engine-work JOB WORK PRECISION
///
/// JOB is the folder that the driver wrote; its job.json says what each work is. Lines on standard output: one when all is
/// loaded and warm, with what was read; then one for each line on standard input, with what was done and the seconds.
@main
struct EngineWork {
    static func main() {
        do {
            try run()
        } catch {
            FileHandle.standardError.write(Data("engine-work: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count == 3, let precision = Precision(rawValue: arguments[2]) else {
            throw PawlError(
                .usage,
                "engine-work JOB WORK PRECISION, where PRECISION is one of "
                    + Precision.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let job = try Job(URL(filePath: arguments[0], directoryHint: .isDirectory), work: arguments[1])
        let turns = Turns()
        switch job.work.kind {
        case .decode: try Decoding(job, precision).run(turns)
        case .score: try Scoring(job, precision).run(turns)
        case .train: try Training(job, precision).run(turns)
        case .limits: try Limits(job).run(turns)
        }
    }
}

/// The driver's folder, and the model that a work needs.
struct Job {
    let folder: URL
    let threads: Int
    let work: Work

    /// What is done; fields that a kind does not have are nil.
    struct Work: Decodable {
        enum Kind: String, Decodable { case decode, score, train, limits }
        let kind: Kind
        /// A folder below the job's.
        let model: String?
        let texts: [String]?
        let newTokens: Int?
        /// Files below the job's folder.
        let records: String?
        let recipe: String?

        private enum CodingKeys: String, CodingKey {
            case kind, model, texts, records, recipe
            case newTokens = "new_tokens"
        }
    }

    private struct File: Decodable {
        let threads: Int
        let works: [String: Work]
    }

    init(_ folder: URL, work name: String) throws {
        self.folder = folder
        let url = folder.appending(path: "job.json")
        let file = try JSON.decode(File.self, from: Files.read(url), source: url.path)
        guard let work = file.works[name] else {
            throw PawlError(.usage, "\(url.path) has no work \"\(name)\"")
        }
        self.work = work
        threads = file.threads
    }

    /// A field that the work's kind has.
    func field<T>(_ value: T?, _ name: String) throws -> T {
        guard let value else { throw PawlError(.usage, "job.json: the work has no field \(name)") }
        return value
    }
}

/// A model as the engine loads it.
struct Model {
    let configuration: ModelConfiguration
    let chat: Chat
    let pool: ComputePool
    let parameters: Parameters

    init(_ job: Job) throws {
        let directory = job.folder.appending(path: try job.field(job.work.model, "model"))
        configuration = try ModelConfiguration(directory: directory)
        chat = try Chat(directory: directory, configuration: configuration)
        pool = try ComputePool(threads: job.threads)
        parameters = try Parameters(reading: SafetensorsDirectory(directory), configuration, pool)
    }

    func decoder(positions: Int, _ precision: Precision) -> Transformer {
        Transformer(configuration, parameters, positions: positions, pool: pool, precision: precision)
    }
}
