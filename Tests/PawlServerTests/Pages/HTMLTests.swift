import Testing

@testable import PawlServer

@Suite("Markup that is safe by construction")
struct HTMLTests: Markup {
    @Test(
        "text of any kind stays text",
        arguments: [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\"><img src=x onerror=alert(1)>", "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"),
            ("' onfocus='alert(1)", "&#39; onfocus=&#39;alert(1)"), ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
            ("</title><svg/onload=alert(1)>", "&lt;/title&gt;&lt;svg/onload=alert(1)&gt;"),
            ("a\u{0}b\u{1B}[2J", "a\u{FFFD}b\u{FFFD}[2J"), ("\u{202E}gpj.exe", "\u{FFFD}gpj.exe"),
            ("two\nlines\tand\r\nmore", "two\nlines\tand\r\nmore"), ("naïve 日本 🐾", "naïve 日本 🐾"),
        ])
    func text(_ text: String, _ escaped: String) {
        #expect(p(text).markup == "<p>\(escaped)</p>")
        #expect(p { text }.markup == "<p>\(escaped)</p>")
        #expect(span(Attribute("data-name", text)).markup == "<span data-name=\"\(escaped)\"></span>")
        #expect(name(text).markup == "<bdi>\(escaped)</bdi>")
    }

    @Test("elements stand in each other, attributes that are nil are left out, void elements have no end")
    func elements() {
        let list = ul(.class("a b"), nil) {
            for number in 1...2 { li("\(number)") }
            if Bool(true) { li { strong("x") } }
            br()
        }
        #expect(list.markup == "<ul class=\"a b\"><li>1</li><li>2</li><li><strong>x</strong></li><br></ul>")
    }

    @Test(
        "a link is a place on this server, whatever its parts are",
        arguments: [
            (["checkpoints", "../../etc/passwd"], "/checkpoints/..%2F..%2Fetc%2Fpasswd"),
            (["..", "."], "/%2E%2E/%2E"), (["javascript:alert(1)"], "/javascript%3Aalert%281%29"),
            (["", "evil.example"], "/evil.example"), (["a b", "ü?#"], "/a%20b/%C3%BC%3F%23"),
        ])
    func links(_ path: [String], _ text: String) {
        #expect(Link(path).text == text)
    }

    @Test("a query and a fragment are encoded, members without a value left out")
    func query() {
        let link = Link(["journal"], query: [("q", "a&b=c"), ("kind", nil), ("n", "\"")], fragment: "x y")
        #expect(link.text == "/journal?q=a%26b%3Dc&n=%22#x%20y")
        #expect(a(.href(link), text: "x").markup == "<a href=\"/journal?q=a%26b%3Dc&amp;n=%22#x%20y\">x</a>")
    }

    @Test("figures have a true minus, a sign where they are changes, and no needless digits")
    func figures() {
        #expect(Figure.points(-0.027) == "\u{2212}2.7" && Figure.points(0.2583) == "+25.8")
        #expect(Figure.points(-0.0001) == "0.0" && Figure.points(0) == "0.0")
        #expect(Figure.bytes(999) == "999 B" && Figure.bytes(291_600_000) == "291.6 MB")
        #expect(Figure.grouped(1_234_567) == "1,234,567" && Figure.grouped(-1000) == "\u{2212}1,000")
        #expect(Figure.compact(5.828e-8) == "5.83e\u{2212}8" && Figure.compact(0.1205) == "0.12")
        #expect(Figure.compact(55908) == "55,908" && Figure.compact(0) == "0")
        #expect(Figure.coordinate(12.3456) == "12.35" && Figure.coordinate(-0.5) == "-0.5")
        #expect(
            Figure.coordinate(3) == "3" && Figure.coordinate(1.05) == "1.05" && Figure.coordinate(.nan) == "0"
        )
    }
}
