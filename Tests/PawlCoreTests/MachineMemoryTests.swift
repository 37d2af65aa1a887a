import Foundation
import Testing

@testable import PawlCore

@Suite("Memory that a process may have")
struct MachineMemoryTests {
    @Test(
        "is the machine's, or a container's limit where that is smaller",
        arguments: [("1000\n", 1000), ("9000\n", 5000), ("max\n", 5000), ("", 5000), ("0\n", 5000)])
    func limit(text: String, bytes: Int) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(MachineMemory.limit(physical: 5000, files: ["/nowhere/at-all", file.path]) == bytes)
    }

    @Test("is something")
    func here() { #expect(MachineMemory.bytes > 1 << 20) }
}
