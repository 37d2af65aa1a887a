/// The frame of every page: title, stylesheet, script, navigation.
struct Layout: Markup {
    /// Name of the registry.
    let site: String

    /// The whole document.
    func document(_ page: Page) -> HTML {
        let window = page.place == .overview ? "\(site) · Pawl" : "\(page.title) · \(site) · Pawl"
        return .document(
            root(Attribute("lang", "en")) {
                head {
                    meta(Attribute("charset", "utf-8"))
                    meta(
                        Attribute("name", "viewport"),
                        Attribute("content", "width=device-width, initial-scale=1")
                    )
                    meta(Attribute("name", "color-scheme"), Attribute("content", "light dark"))
                    title(window)
                    link(Attribute("rel", "stylesheet"), .href(Asset.styleSheet.link))
                    link(
                        Attribute("rel", "icon"), Attribute("type", "image/svg+xml"), .href(Asset.icon.link))
                    script(.src(Asset.script.link), Attribute("defer", ""))
                }
                body {
                    a(.class("skip"), .href(.here("content")), text: "Skip to the content")
                    banner(page.place)
                    main(.id("content")) {
                        h1 { name(page.title) }
                        page.content
                    }
                    footer(.class("frame")) {
                        p("Times are in UTC. Changes are in points: hundredths of the score.")
                        p(.class("faint")) {
                            "The same as JSON: "
                            a(.href(Link(["api", "v1"])), text: "/api/v1")
                        }
                    }
                }
            })
    }

    private func banner(_ current: Page.Place) -> HTML {
        header(.class("frame")) {
            a(.class("mark"), .href(Link([]))) {
                mark
                span(.class("word"), text: "Pawl")
                span(.class("site")) { name(site) }
            }
            nav(.label("Pages")) {
                ul {
                    for place in Page.Place.allCases where place != .nowhere {
                        li {
                            a(
                                .href(place.link),
                                place == current ? Attribute("aria-current", "page") : nil,
                                text: place.rawValue.prefix(1).uppercased() + place.rawValue.dropFirst())
                        }
                    }
                }
            }
        }
    }

    /// A tooth of a ratchet and the pawl that lets it go one way only.
    private var mark: HTML {
        svg(
            .hidden, .class("logo"), Attribute("viewBox", "0 0 24 24"), Attribute("width", "24"),
            Attribute("height", "24")
        ) {
            path(Attribute("class", "wheel"), Attribute("d", "M2 21V12l6 9V12l6 9V12l8 9z"))
            path(Attribute("class", "pawl"), Attribute("d", "M3 3.5 15.5 9.5 14 14 8.5 8z"))
            circle(.px("cx", 4), .px("cy", 4.5), .px("r", 2), Attribute("class", "pawl"))
        }
    }
}
