internal import Foundation

/// One of the two streams that people read: what it can show, and writing whole lines to it.
struct Terminal: Sendable {
    static let output = Terminal(descriptor: STDOUT_FILENO)
    static let error = Terminal(descriptor: STDERR_FILENO)

    /// Colours and weights that the output uses.
    enum Style: String { case red = "31", green = "32", yellow = "33", bold = "1", dim = "2" }

    let descriptor: Int32
    let isInteractive: Bool
    private let hasColour: Bool

    private init(descriptor: Int32) {
        self.descriptor = descriptor
        let environment = ProcessInfo.processInfo.environment
        isInteractive = isatty(descriptor) == 1 && environment["TERM"] != "dumb"
        hasColour = isInteractive && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// Number of columns; 80 when it is no terminal.
    var width: Int {
        var size = winsize()
        let known = isInteractive && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return known ? Int(size.ws_col) : 80
    }

    /// The text in a style, where the stream shows styles.
    func styled(_ text: String, _ style: Style) -> String {
        hasColour ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Writes text and a line feed. A reader that went away (`| head`) ends the process quietly.
    func write(_ text: String) { writeRaw(text + "\n") }

    /// Writes text as it is; false when nobody reads it any more.
    @discardableResult
    func writeRaw(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Asks a yes/no question on the terminal; false when there is nobody to ask.
    static func confirm(_ question: String) -> Bool {
        guard isatty(STDIN_FILENO) == 1, error.isInteractive else { return false }
        error.writeRaw(question + " [y/N] ")
        return ["y", "yes"].contains((readLine() ?? "").lowercased())
    }
}
