internal import Foundation
internal import PawlCore

/// Joins what the conversation found with how the process ended.
struct SessionReport {
    let manifest: EngineManifest
    let standardError: StandardErrorLog
    let transcriptFile: URL

    func conclude<R>(
        _ outcome: Result<R, any Error>, _ ending: EngineProcess.Ending, isCancelled: Bool
    ) throws -> R {
        switch outcome {
        case .success(let value):
            if isCancelled { throw EngineSession.cancelled(manifest, "at its end") }
            guard ending.isSuccess else {
                throw withDetails(
                    PawlError(
                        .engine,
                        """
                        engine "\(manifest.name)" ended with \(ending.text) after its answer; \
                        nothing of it is kept
                        """))
            }
            return value
        case .failure(EngineSession.Failure.answered(let error)),
            .failure(EngineSession.Failure.broken(let error)):
            throw error.code == .cancelled ? error : withDetails(error)
        case .failure(EngineSession.Failure.ended(let activity)):
            let how = ending.isForced ? "closed its stdout" : "ended with \(ending.text)"
            throw withDetails(
                PawlError(.engine, "engine \"\(manifest.name)\" \(how) during \(activity), before its answer")
            )
        case .failure(let error): throw error
        }
    }

    /// Adds where to look: the last lines of stderr and the files that hold everything.
    private func withDetails(_ error: PawlError) -> PawlError {
        var error = error
        var lines = error.hint.map { [$0] } ?? []
        let last = standardError.lastLines()
        if !last.isEmpty {
            lines.append("the last lines of its stderr (all: \(standardError.url.path)):")
            lines += last.map { "  " + $0 }
        }
        lines.append("what was said: \(transcriptFile.path)")
        error.hint = lines.joined(separator: "\n  ")
        return error
    }
}
