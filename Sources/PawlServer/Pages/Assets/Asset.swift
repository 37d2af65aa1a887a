internal import PawlCore

/// A file that pages need. Its name holds the digest of its bytes, so a browser may keep it for good.
struct Asset: Sendable {
    let link: Link
    private let name: String
    private let type: String
    private let bytes: [UInt8]

    private init(_ stem: String, _ suffix: String, type: String, _ text: String) {
        bytes = Array(text.utf8)
        name = "\(stem)-\(Digest(of: bytes).short).\(suffix)"
        link = Link(["assets", name])
        self.type = type
    }

    static let styleSheet = Asset(
        "pawl", "css", type: "text/css; charset=utf-8",
        [StyleSheet.colours, StyleSheet.frame, StyleSheet.parts, StyleSheet.charts, StyleSheet.pages].joined(
            separator: "\n"))
    static let script = Asset("pawl", "js", type: "text/javascript; charset=utf-8", Script.text)
    static let icon = Asset("pawl", "svg", type: "image/svg+xml", Icon.text)

    /// The file of a name; nil when there is none.
    static func named(_ name: String) -> Asset? { [styleSheet, script, icon].first { $0.name == name } }

    var reply: Reply {
        Reply(
            type: type, headers: [(name: "cache-control", value: "public, max-age=31536000, immutable")],
            .bytes(bytes))
    }
}

/// The picture in a browser's tab: it does not follow the page's stylesheet, so its colours work on light and dark.
private enum Icon {
    static let text = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">
        <path fill="#56B4E9" d="M2 21V12l6 9V12l6 9V12l8 9z"/>
        <path fill="#E69F00" d="M3 3.5 15.5 9.5 14 14 8.5 8z"/><circle cx="4" cy="4.5" r="2" fill="#E69F00"/>
        </svg>

        """
}
