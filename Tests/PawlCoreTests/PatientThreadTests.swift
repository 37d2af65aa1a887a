import Foundation
import Synchronization
import Testing

@testable import PawlCore

@Suite("Threads that give way")
struct PatientThreadTests {
    @Test("such a thread is nicer than the one that started it, and so are those that it starts")
    func niceness() throws {
        let own = PatientThread.ownNiceness
        let expected = min(19, own + PatientThread.niceness)
        #expect(try PatientThread.value("test") { PatientThread.ownNiceness } == expected)
        let inherited = try PatientThread.value("test") {
            let result = Mutex<Int32?>(nil)
            let isDone = DispatchSemaphore(value: 0)
            Thread {
                let niceness = PatientThread.ownNiceness
                result.withLock { $0 = niceness }
                isDone.signal()
            }.start()
            isDone.wait()
            return result.withLock { $0 }
        }
        #expect(inherited == expected)
        #expect(PatientThread.ownNiceness == own)
    }

    @Test("what its work throws is thrown")
    func failure() {
        #expect(throws: PawlError.self) {
            try PatientThread.value("test") { throw PawlError(.notFound, "nothing") }
        }
    }

    @Test("blocking work gives way only where its task says so, and where the task's own tasks inherit that")
    func blocking() async throws {
        let usual = try await Parallel.blocking { PatientThread.ownNiceness }
        let patient = try await Parallel.$isPatient.withValue(true) {
            try await Task { try await Parallel.blocking { PatientThread.ownNiceness } }.value
        }
        #expect(patient == min(19, usual + PatientThread.niceness))
    }
}
