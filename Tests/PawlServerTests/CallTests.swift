import Testing

@testable import PawlServer

@Suite("Requests")
struct CallTests {
    @Test("whoever may operate may read")
    func roles() {
        #expect(Call.Role.read < .operate)
        #expect(!(Call.Role.operate < .read))
        #expect(Call.Role.allCases.max() == .operate)
    }
}
