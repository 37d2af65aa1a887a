import Foundation
import PawlCore
import Testing

/// Flips single bits of files below a directory, one at a time, and puts each back after a look at the result.
///
/// Knows nothing of stores: a test of a registry can use it as it stands.
enum BitFlips {
    /// A bit that is wrong while `check` runs.
    struct Flip: CustomStringConvertible {
        /// Path below the directory.
        let path: String
        let offset: Int
        let bit: Int
        var description: String { "bit \(bit) of byte \(offset) of \(path)" }
    }

    /// Flips `count` bits: first one in every file, then more in files chosen at random.
    ///
    /// - Parameters:
    ///   - include: says of a path below the directory whether its bits may be flipped.
    ///   - check: looks at the damage; the file is as it was again after it returns.
    static func run(
        in directory: URL, count: Int, seed: UInt64, include: (String) -> Bool, check: (Flip) throws -> Void
    ) throws {
        print("bit flips: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let paths = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted().filter {
            path in
            let url = directory.appending(path: path)
            return include(path) && !Files.isDirectory(url) && (try? Files.read(url).isEmpty) == false
        }
        try #require(!paths.isEmpty)
        for index in 0..<count {
            let path =
                index < paths.count ? paths[index] : paths[Int.random(in: 0..<paths.count, using: &random)]
            let url = directory.appending(path: path)
            let original = try Files.read(url)
            let flip = Flip(
                path: path, offset: Int.random(in: 0..<original.count, using: &random),
                bit: Int.random(in: 0..<8, using: &random))
            var damaged = original
            damaged[flip.offset] ^= 1 << UInt8(flip.bit)
            try replace(url, damaged)
            try check(flip)
            try replace(url, original)
        }
    }

    private static func replace(_ url: URL, _ bytes: [UInt8]) throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: url.path)
        try Data(bytes).write(to: url)
    }
}
