internal import Foundation
internal import PawlCore
internal import PawlModel

/// Compares what Pawl computes with a whole model with what another program recorded (tools/check-base-model).
///
///     compare-model reference MODEL FILE [--share N]   transformers' results (tools/fixtures/base_model); every N-th
///     compare-model training MODEL FOLDER              steps of TRL's trainer (tools/fixtures/trl_step)
///
/// Prints a row for each claim; the exit status is 1 when one does not hold.
@main
struct Main {
    static func main() {
        do {
            exit(try run() ? 0 : 1)
        } catch let error as PawlError {
            FileHandle.standardError.write(Data("compare-model: \(error)\n".utf8))
            exit(error.code.exitStatus)
        } catch {
            FileHandle.standardError.write(Data("compare-model: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run() throws -> Bool {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 3 else { throw usage }
        let (model, place) = (URL(filePath: arguments[1]), URL(filePath: arguments[2]))
        switch (arguments[0], arguments.count) {
        case ("training", 3): return try TrainingComparison(model, place).run()
        case ("reference", 3): return try ReferenceComparison(model, place, share: 1).run()
        case ("reference", 5):
            guard arguments[3] == "--share", let share = Int(arguments[4]), share > 0 else { throw usage }
            return try ReferenceComparison(model, place, share: share).run()
        default: throw usage
        }
    }

    private static var usage: PawlError {
        PawlError(
            .usage,
            "usage: compare-model reference MODEL FILE [--share N] | compare-model training MODEL FOLDER")
    }
}

/// A claim with what was found, one printed row.
struct Finding {
    let claim: String
    let figure: String
    let isHeld: Bool

    /// Prints rows as they come.
    ///
    /// - Returns: whether all of them hold.
    static func report(_ findings: [() throws -> [Finding]]) throws -> Bool {
        var isHeld = true
        for find in findings {
            for finding in try find() {
                let mark = finding.isHeld ? "ok      " : "NOT HELD"
                try FileHandle.standardOutput.write(
                    contentsOf: Data("\(mark)  \(finding.claim): \(finding.figure)\n".utf8))
                isHeld = isHeld && finding.isHeld
            }
        }
        return isHeld
    }
}

/// A model with the threads that run it.
struct LoadedModel {
    let configuration: ModelConfiguration
    let parameters: Parameters
    let pool: ComputePool

    init(_ directory: URL) throws {
        pool = try ComputePool()
        configuration = try ModelConfiguration(directory: directory)
        parameters = try Parameters(reading: SafetensorsDirectory(directory), configuration, pool)
    }

    func decoder(positions: Int, _ precision: Precision = .f32) -> Transformer {
        Transformer(configuration, parameters, positions: positions, pool: pool, precision: precision)
    }
}

/// A small number as people read it.
func short(_ value: Double) -> String { String(format: "%.1e", value) }
