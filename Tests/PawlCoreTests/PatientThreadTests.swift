import Foundation
import Synchronization
import Testing

@testable import PawlCore

@Suite("Threads that give way")
struct PatientThreadTests {
    private static var own: Int32 { PatientThread.niceness(of: PatientThread.callingThread) }
    /// 19 is the nicest that there is.
    private static let expected = min(
        19, PatientThread.niceness(of: PatientThread.firstThread) + PatientThread.niceness)

    @Test("such a thread is nicer than the program's first, and so are those that it starts")
    func niceness() throws {
        let before = Self.own
        #expect(try PatientThread.value("test") { Self.own } == Self.expected)
        let inherited = try PatientThread.value("test") {
            let result = Mutex<Int32?>(nil)
            let isDone = DispatchSemaphore(value: 0)
            Thread {
                let niceness = Self.own
                result.withLock { $0 = niceness }
                isDone.signal()
            }.start()
            isDone.wait()
            return result.withLock { $0 }
        }
        #expect(inherited == Self.expected)
        #expect(Self.own == before)
    }

    @Test("what its work throws is thrown")
    func failure() {
        #expect(throws: PawlError.self) {
            try PatientThread.value("test") { throw PawlError(.notFound, "nothing") }
        }
    }

    @Test("blocking work gives way where its task says so, and that task's own tasks inherit it")
    func blocking() async throws {
        let usual = try await Parallel.blocking { Self.own }
        let patient = try await Parallel.$isPatient.withValue(true) {
            try await Task { try await Parallel.blocking { Self.own } }.value
        }
        #expect(patient == Self.expected)
        #expect(usual < patient)
    }
}
