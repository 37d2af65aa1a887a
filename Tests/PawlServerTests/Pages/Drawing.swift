import Foundation

/// The elements of a piece of markup, read as a browser reads what we write: quoted attributes, every element closed.
struct Drawing {
    struct Element {
        var name: String
        var attributes: [String: String]
        /// The class of the element around it.
        var parent: String
        /// The text directly in it.
        var text = ""

        /// An attribute as a number; shares of the width lose their sign of percent.
        func number(_ attribute: String) -> Double? {
            attributes[attribute].flatMap { Double($0.hasSuffix("%") ? String($0.dropLast()) : $0) }
        }
    }

    private(set) var all: [Element] = []
    /// What is wrong: an element that is not closed, or closed by another.
    private(set) var problems: [String] = []

    private static let void: Set = ["meta", "link", "br", "input", "img", "hr"]

    init(_ markup: String) {
        var open: [Int] = []
        var rest = Substring(markup)
        while let start = rest.firstIndex(of: "<") {
            if let last = open.last { all[last].text += Self.unescaped(rest[..<start]) }
            guard let end = rest[start...].firstIndex(of: ">") else {
                problems.append("an element without its end: \(rest[start...].prefix(40))")
                return
            }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("!") { continue }
            if tag.hasPrefix("/") {
                let name = String(tag.dropFirst())
                if let last = open.popLast(), all[last].name != name {
                    problems.append("</\(name)> closes <\(all[last].name)>")
                }
                continue
            }
            let element = Self.element(tag, parent: open.last.map { all[$0].attributes["class"] ?? "" } ?? "")
            all.append(element)
            if !Self.void.contains(element.name) { open.append(all.count - 1) }
        }
        problems += open.map { "<\(all[$0].name)> is never closed" }
    }

    private static func element(_ tag: Substring, parent: String) -> Element {
        var attributes: [String: String] = [:]
        // name="value" name="value": quotes come in pairs, since those in a value are escaped.
        let parts = tag.split(separator: "\"", omittingEmptySubsequences: false)
        for (name, value) in zip(
            parts.enumerated().filter { $0.offset % 2 == 0 }.map(\.element),
            parts.enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
        {
            attributes[String(name.split(separator: " ").last?.dropLast() ?? "")] = unescaped(value)
        }
        return Element(name: String(tag.prefix { $0 != " " }), attributes: attributes, parent: parent)
    }

    private static func unescaped(_ text: Substring) -> String {
        guard text.contains("&") else { return String(text) }
        return String(text).replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing(
            "&quot;", with: "\""
        )
        .replacing("&#39;", with: "'").replacing("&amp;", with: "&")
    }

    func elements(_ name: String, class wanted: String? = nil) -> [Element] {
        all.filter { element in
            element.name == name
                && (wanted.map {
                    (element.attributes["class"] ?? "").split(separator: " ").contains(Substring($0))
                } ?? true)
        }
    }
}
