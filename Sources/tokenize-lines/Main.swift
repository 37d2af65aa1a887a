internal import Foundation
internal import PawlCore
internal import PawlModel

/// Encodes and decodes what it reads, for tools/check-tokenizers, which compares the answers.
///
///     tokenize-lines DIRECTORY               answers the requests on standard input
///     tokenize-lines DIRECTORY --time FILE   prints the seconds of loading and of encoding the file's lines
///
/// A request is a kind (one byte), a count and so many bytes of UTF-8 or four-byte ids; all numbers are
/// 32 bits, little-endian. Kinds: 0 and 1 encode without and with special tokens; the answer is the ids and
/// then their text. 2 and 3 decode with and without special tokens; the answer is the text and then what a
/// stream of the same ids gives.
@main
struct Main {
    static func main() {
        do {
            try run()
        } catch let error as PawlError {
            FileHandle.standardError.write(Data("tokenize-lines: \(error)\n".utf8))
            exit(error.code.exitStatus)
        } catch {
            FileHandle.standardError.write(Data("tokenize-lines: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 2 || (arguments.count == 4 && arguments[2] == "--time") else {
            throw PawlError(.usage, "usage: tokenize-lines DIRECTORY [--time FILE]")
        }
        let clock = ContinuousClock()
        let start = clock.now
        let tokenizer = try Tokenizer(directory: URL(filePath: arguments[1]))
        let loading = clock.now - start
        guard arguments.count == 4 else { return try answer(tokenizer) }
        let lines = try Files.read(URL(filePath: arguments[3])).split(separator: 0x0A).map {
            String(decoding: $0, as: UTF8.self)
        }
        var count = 0
        let encoding = clock.measure {
            for line in lines { count += tokenizer.encode(line, addSpecialTokens: false).count }
        }
        let seconds = [loading, encoding].map { "\($0 / .seconds(1))" }
        try write(Array("\(seconds.joined(separator: " ")) \(count)\n".utf8))
    }

    private static func answer(_ tokenizer: Tokenizer) throws {
        let input = Array(FileHandle.standardInput.readDataToEndOfFile())
        var output: [UInt8] = []
        var position = 0
        while position + 5 <= input.count {
            let kind = input[position]
            let count = Int(number(input, position + 1))
            position += 5
            let length = kind < 2 ? count : count * 4
            guard position + length <= input.count else { break }
            if kind < 2 {
                let text = String(decoding: input[position..<position + length], as: UTF8.self)
                let ids = tokenizer.encode(text, addSpecialTokens: kind == 1)
                append(UInt32(ids.count), to: &output)
                for id in ids { append(UInt32(bitPattern: id), to: &output) }
                append(tokenizer.decode(ids, skipSpecialTokens: false), to: &output)
            } else {
                let ids = (0..<count).map { Int32(bitPattern: number(input, position + $0 * 4)) }
                var stream = StreamDecoder(tokenizer, skipSpecialTokens: kind == 3)
                let streamed = ids.map { stream.append($0) }.joined() + stream.finish()
                append(tokenizer.decode(ids, skipSpecialTokens: kind == 3), to: &output)
                append(streamed, to: &output)
            }
            position += length
        }
        try write(output)
    }

    private static func number(_ bytes: [UInt8], _ position: Int) -> UInt32 {
        (0..<4).reversed().reduce(0) { $0 << 8 | UInt32(bytes[position + $1]) }
    }

    private static func append(_ number: UInt32, to output: inout [UInt8]) {
        for shift in [0, 8, 16, 24] as [UInt32] { output.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    private static func append(_ text: String, to output: inout [UInt8]) {
        append(UInt32(text.utf8.count), to: &output)
        output.append(contentsOf: text.utf8)
    }

    private static func write(_ bytes: [UInt8]) throws {
        try FileHandle.standardOutput.write(contentsOf: Data(bytes))
    }
}
