import Foundation
import PawlCore
import Testing

/// The rows of the module map (ARCHITECTURE.md): what a module may import, and where a library may show.
@Suite("The module map")
struct ModuleMapTests {
    /// Modules from the lowest row up; a module depends only on rows below its own.
    private static let rows: [[String]] = [
        ["CZstd", "CLibCrypto", "CPCRE2", "CUtf8proc", "COneDNN"], ["CKernels", "CCodec"], ["PawlCore"],
        ["PawlStore"],
        ["PawlRegistry"], ["PawlGate"], ["PawlModel"], ["tokenize-lines"], ["PawlSDFT"], ["compare-model"],
        ["PawlEngines"],
        ["PawlWorkflow"], ["PawlServer"], ["PawlCommands"], ["pawl"],
    ]
    /// Modules that know only Core, although others are below them.
    private static let onlyCore: Set<String> = ["PawlGate"]
    /// The one module that imports a library.
    private static let homes: [String: String] = [
        "GRDB": "PawlRegistry", "CZstd": "PawlStore", "CCodec": "PawlStore", "CLibCrypto": "PawlCore",
        "Subprocess": "PawlEngines",
        "CPCRE2": "PawlModel", "CUtf8proc": "PawlModel", "COneDNN": "CKernels",
        "Hummingbird": "PawlServer", "ArgumentParser": "PawlCommands",
    ]

    private static func row(_ module: String) -> Int? { rows.firstIndex { $0.contains(module) } }

    /// Dependencies of every target that is no test, as the manifest declares them.
    private func targets() throws -> [String: [String]] {
        let place = try Place(empty: true)
        // A scratch path of its own: the running `swift test` holds the lock of the other.
        let answer = try place.run(
            URL(filePath: "/usr/bin/env"),
            [
                "swift", "package", "--package-path", Checkout.root.path, "--scratch-path",
                place.root.appending(path: "scratch").path, "dump-package",
            ])
        try #require(answer.status == 0, "\(answer.error)")
        var found: [String: [String]] = [:]
        for target in try answer.json["targets"]?.array ?? [] where target["type"]?.string != "test" {
            let name = try #require(target["name"]?.string)
            found[name] = (target["dependencies"]?.array ?? []).compactMap { dependency in
                (dependency["byName"] ?? dependency["product"] ?? dependency["target"])?.array?.first?.string
            }
        }
        return found
    }

    @Test("every target depends only on rows below its own")
    func order() throws {
        let targets = try targets()
        #expect(
            Set(targets.keys) == Set(Self.rows.joined()),
            "a new module needs a row here and in ARCHITECTURE.md")
        for (name, dependencies) in targets {
            let own = try #require(Self.row(name))
            for dependency in dependencies {
                guard let row = Self.row(dependency) else { continue }
                #expect(row < own, "\(name) depends on \(dependency)")
                if Self.onlyCore.contains(name) {
                    #expect(dependency == "PawlCore", "\(name) must not know \(dependency)")
                }
            }
        }
    }

    @Test("a library is declared and imported by one module only, never publicly")
    func libraries() throws {
        for (name, dependencies) in try targets() {
            for dependency in dependencies {
                if let home = Self.homes[dependency] {
                    #expect(name == home, "\(name) depends on \(dependency)")
                }
            }
        }
        let sources = Checkout.root.appending(path: "Sources")
        let files = FileManager.default.enumerator(atPath: sources.path)
        var count = 0
        while let name = files?.nextObject() as? String {
            guard name.hasSuffix(".swift"), let module = name.split(separator: "/").first else { continue }
            count += 1
            let text = try String(contentsOf: sources.appending(path: name), encoding: .utf8)
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let at = words.firstIndex(of: "import"), at <= 2, at + 1 < words.count,
                    let home = Self.homes[words[at + 1].split(separator: ".").first.map(String.init) ?? ""]
                else { continue }
                #expect(module == home, "\(name): \(line)")
                #expect(!words.contains("public"), "\(name): \(line)")
            }
        }
        #expect(count > 50)
    }
}
