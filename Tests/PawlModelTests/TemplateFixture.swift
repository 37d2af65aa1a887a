import Foundation
import PawlCore
import Testing

@testable import PawlModel

/// What transformers and jinja2 made of templates (tools/fixtures/templates).
enum TemplateFixture {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures/templates")
    /// Noon, so that the date is the same in almost every time zone.
    static let now = Timestamp("2026-11-22T12:00:00.000Z") ?? .now

    static func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
    }

    static func json(_ name: String) throws -> OrderedJSON {
        try OrderedJSON(parsing: Array(Data(contentsOf: folder.appending(path: name))), source: name)
    }

    /// What the reference did.
    enum Outcome: Equatable {
        case text(String)
        /// `raise_exception` with this message.
        case raised(String)
        case error(String)

        init(_ value: OrderedJSON) {
            if let text = value["text"]?.string {
                self = .text(text)
            } else if let message = value["raised"]?.string {
                self = .raised(message)
            } else {
                self = .error(value["error"]?.string ?? "")
            }
        }
    }

    /// How ours differs from the reference; nil when it does not.
    static func difference(_ expected: Outcome, _ render: () throws -> String) -> String? {
        do {
            let text = try render()
            guard case .text(let wanted) = expected else {
                return "\(text.debugDescription), not \(expected)"
            }
            return wanted.utf8.elementsEqual(text.utf8)
                ? nil : "\(text.debugDescription), not \(wanted.debugDescription)"
        } catch let error as PawlError {
            switch expected {
            case .text(let wanted): return "\(error.message), not \(wanted.debugDescription)"
            case .raised(let message): return error.message.hasSuffix(": " + message) ? nil : error.message
            case .error: return nil
            }
        } catch {
            return "\(error)"
        }
    }
}

extension OrderedJSON {
    var members: [Member] { if case .object(let members) = self { members } else { [] } }
    var elements: [OrderedJSON] { if case .array(let elements) = self { elements } else { [] } }
    var dictionary: [String: OrderedJSON] {
        Dictionary(members.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }
}
