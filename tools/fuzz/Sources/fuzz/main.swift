internal import Foundation
internal import FuzzDriver

// fuzz --list: the targets. fuzz --seeds DIRECTORY: writes inputs to begin with.
// fuzz TARGET ARGUMENT...: fuzzes a target, or runs it on files, with libFuzzer's own arguments.

/// What the callback, which takes no context, runs.
nonisolated(unsafe) var chosen = Target.json

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "--list": for target in Target.allCases { print(target.rawValue) }
case "--seeds" where arguments.count == 2: try Seeds.write(to: URL(filePath: arguments[1]))
default:
    guard let name = arguments.first, let target = Target(rawValue: name) else {
        FileHandle.standardError.write(
            Data("fuzz TARGET [libFuzzer's arguments] | --list | --seeds DIRECTORY\n".utf8))
        exit(64)
    }
    chosen = target
    // libFuzzer keeps the arguments as long as the program runs.
    var list: [UnsafeMutablePointer<CChar>?] = ([CommandLine.arguments[0]] + arguments.dropFirst()).map {
        strdup($0)
    }
    list.append(nil)
    var count = Int32(list.count - 1)
    let status = list.withUnsafeMutableBufferPointer { list in
        var start = list.baseAddress
        return LLVMFuzzerRunDriver(&count, &start) { data, size in
            chosen.run(UnsafeRawBufferPointer(start: data, count: size))
            return 0
        }
    }
    exit(status)
}
