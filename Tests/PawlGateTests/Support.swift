import Foundation
import PawlCore
import Testing

@testable import PawlGate

/// A folder of test files that goes away with the test.
final class TemporaryFolder {
    let url: URL

    init(_ files: [String: String] = [:]) throws {
        url = FileManager.default.temporaryDirectory.appending(path: "pawl-gate-\(UUID().uuidString)")
        try Files.createDirectory(url)
        for (name, text) in files { try Data(text.utf8).write(to: url.appending(path: name)) }
    }

    deinit { try? Files.remove(url) }
}

/// A fixture, by its path in the repository.
func fixture<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)")
    return try JSONDecoder().decode(type, from: Data(contentsOf: url))
}

/// The error that a body throws, as ours; nil when it throws none.
func pawlError(_ body: () throws -> Void) -> PawlError? {
    do {
        try body()
        return nil
    } catch {
        return error as? PawlError
    }
}

/// `suite.json` of the smallest suite, with members put in place of its own or beside them.
func suiteManifest(_ members: [String: String] = [:], grader: String? = nil) -> String {
    var all = [
        "name": "\"capitals\"", "version": "\"1.0.0\"", "metric": "\"accuracy\"", "margin": "0.05",
        "grader": grader ?? #"{"kind":"exact_match","normalisers":["trim"]}"#,
    ]
    all.merge(members) { $1 }
    return "{\n"
        + all.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ",\n") + "\n}"
}

func suite(grader: String? = nil, members: [String: String] = [:], items: [String]) throws -> Suite {
    try Suite(
        manifest: Array(suiteManifest(members, grader: grader).utf8),
        items: Array((items.joined(separator: "\n") + "\n").utf8))
}

/// A suite of `n` items whose target is "x", some of them in clusters.
func suite(
    count n: Int, margin: String = "0.05", metric: String = "accuracy",
    cluster: (Int) -> String? = { _ in nil }
) throws -> Suite {
    let grader = metric == "mean" ? #"{"kind":"token_f1"}"# : nil
    return try suite(
        grader: grader, members: ["margin": margin, "metric": "\"\(metric)\""],
        items: (0..<n).map { i in
            let group = cluster(i).map { ",\"cluster\":\"\($0)\"" } ?? ""
            return "{\"id\":\"i\(i)\",\"prompt\":\"q\(i)\",\"target\":\"x\"\(group)}"
        })
}

extension Suite {
    /// Evidence in which item i has the response that `answer` gives.
    func evidence(_ answer: (Int) -> String) throws -> Evidence {
        try grade(
            items.enumerated().map { i, item in
                ItemAnswer(id: item.id, outcome: .response(answer(i), isTruncated: false, tokens: 1))
            })
    }
}

let anchorDigest = Digest(of: "anchor")
let candidateDigest = Digest(of: "candidate")
