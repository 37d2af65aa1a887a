/// Markup that is safe to send: text gets in only escaped, elements and attributes only by names of the source code.
///
/// There is no way to make one from a string of markup outside this file, so no name, answer or reason that
/// somebody wrote can become an element, whatever a page does with it.
struct HTML: Sendable {
    /// The markup.
    private(set) var markup: String

    /// Nothing.
    init() { markup = "" }

    /// Text, escaped.
    init(_ text: String) { markup = Self.escaped(text) }

    /// Pieces one after another.
    init(_ pieces: [HTML]) { markup = pieces.map(\.markup).joined() }

    fileprivate init(trusted markup: String) { self.markup = markup }

    /// A whole document in HTML 5.
    static func document(_ root: HTML) -> HTML { HTML(trusted: "<!doctype html>\n\(root.markup)\n") }

    /// Text as it may stand in an element or between the quotes of an attribute. What HTML cannot hold becomes
    /// U+FFFD, and so do the characters that change the direction of what follows them.
    static func escaped(_ text: String) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count + 16)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            case "\t", "\n", "\r": out.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}":
                out += "\u{FFFD}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

/// The name of an element. Called like a function it makes one.
struct Tag: Sendable {
    private let name: StaticString
    /// Has no content and no end.
    private let isVoid: Bool

    /// - Parameter name: of the source code, never of a user.
    init(_ name: StaticString, isVoid: Bool = false) {
        self.name = name
        self.isVoid = isVoid
    }

    /// An element with attributes (nil: left out) and content.
    func callAsFunction(
        _ attributes: Attribute?..., @HTMLBuilder content: () throws -> HTML
    ) rethrows -> HTML {
        element(attributes, try content())
    }

    /// An element that holds text.
    func callAsFunction(_ attributes: Attribute?..., text: String) -> HTML {
        element(attributes, HTML(text))
    }

    /// An element that holds text and has no attributes.
    func callAsFunction(_ text: String) -> HTML { element([], HTML(text)) }

    /// An empty element.
    func callAsFunction(_ attributes: Attribute?...) -> HTML { element(attributes, HTML()) }

    private func element(_ attributes: [Attribute?], _ content: HTML) -> HTML {
        var markup = "<\(name)"
        for case .some(let attribute) in attributes { markup += attribute.markup }
        markup += isVoid ? ">" : ">\(content.markup)</\(name)>"
        return HTML(trusted: markup)
    }
}

/// An attribute of an element: a name of the source code and any value.
struct Attribute: Sendable {
    fileprivate let markup: String

    /// - Parameter name: of the source code. Not `style` and not an event: the content-security policy of the server
    ///   forbids both. Not an address: those are made by ``href(_:)``, ``src(_:)`` and ``action(_:)``.
    init(_ name: StaticString, _ value: String) {
        let text = name.description
        precondition(
            text != "style" && !text.hasPrefix("on")
                && !["href", "src", "action", "formaction"].contains(text),
            "attribute \(text)")
        markup = " \(text)=\"\(HTML.escaped(value))\""
    }

    private init(address name: StaticString, _ link: Link) {
        markup = " \(name)=\"\(HTML.escaped(link.text))\""
    }

    /// Where a link leads.
    static func href(_ link: Link) -> Attribute { Attribute(address: "href", link) }
    /// Where an image or script is.
    static func src(_ link: Link) -> Attribute { Attribute(address: "src", link) }
    /// Where a form goes.
    static func action(_ link: Link) -> Attribute { Attribute(address: "action", link) }

    /// Class names.
    static func `class`(_ names: String) -> Attribute { Attribute("class", names) }
    /// Name of the element in the page.
    static func id(_ name: String) -> Attribute { Attribute("id", name) }
    /// What assistive technology calls the element.
    static func label(_ text: String) -> Attribute { Attribute("aria-label", text) }
    /// The part it plays for assistive technology.
    static func role(_ name: StaticString) -> Attribute { Attribute("role", name.description) }
    /// What a header cell is for: `col`, `row`, `colgroup`.
    static func scope(_ name: StaticString) -> Attribute { Attribute("scope", name.description) }
    /// For the eye only.
    static let hidden = Attribute("aria-hidden", "true")

    /// A coordinate or length in pixels, to a hundredth.
    static func px(_ name: StaticString, _ value: Double) -> Attribute {
        Attribute(name, Figure.coordinate(value))
    }
    /// A coordinate or length as a share of the drawing's width, so that charts fit any screen.
    static func share(_ name: StaticString, _ value: Double) -> Attribute {
        Attribute(name, Figure.coordinate(value * 100) + "%")
    }
}

/// A place on this server. Its parts are percent-encoded, so it can be no `javascript:` and no other host.
struct Link: Sendable, Hashable {
    /// The address.
    let text: String

    /// - Parameters:
    ///   - path: parts between slashes. Empty ones are left out: `//name` would be another host.
    ///   - query: left out where the value is nil.
    ///   - fragment: name of an element.
    init(_ path: [String], query: [(String, String?)] = [], fragment: String? = nil) {
        var text = "/" + path.filter { !$0.isEmpty }.map(Self.encoded).joined(separator: "/")
        let pairs = query.compactMap { name, value in
            value.map { Self.encoded(name) + "=" + Self.encoded($0) }
        }
        if !pairs.isEmpty { text += "?" + pairs.joined(separator: "&") }
        if let fragment { text += "#" + Self.encoded(fragment) }
        self.text = text
    }

    private init(here fragment: StaticString) { text = "#\(fragment)" }

    /// A place in the same page.
    static func here(_ fragment: StaticString) -> Link { Link(here: fragment) }

    private static func encoded(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.append(Character(UnicodeScalar(byte)))
            case UInt8(ascii: ".") where text != "." && text != "..": out.append(".")
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                out += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return out
    }
}

/// Puts the content of an element together: elements, text (escaped), conditions and loops.
@resultBuilder enum HTMLBuilder {
    static func buildExpression(_ html: HTML) -> HTML { html }
    static func buildExpression(_ html: HTML?) -> HTML { html ?? HTML() }
    static func buildExpression(_ html: [HTML]) -> HTML { HTML(html) }
    static func buildExpression(_ text: String) -> HTML { HTML(text) }
    static func buildBlock(_ parts: HTML...) -> HTML { HTML(parts) }
    static func buildOptional(_ part: HTML?) -> HTML { part ?? HTML() }
    static func buildEither(first part: HTML) -> HTML { part }
    static func buildEither(second part: HTML) -> HTML { part }
    static func buildArray(_ parts: [HTML]) -> HTML { HTML(parts) }
}
