/// Whoever writes HTML: the elements by their names, without a prefix and without names that the whole module shares.
protocol Markup {}

extension Markup {
    /// The outermost element. Not `html`, which is what a view is turned into.
    var root: Tag { Tag("html") }
    var head: Tag { Tag("head") }
    var title: Tag { Tag("title") }
    var meta: Tag { Tag("meta", isVoid: true) }
    var link: Tag { Tag("link", isVoid: true) }
    var script: Tag { Tag("script") }
    var body: Tag { Tag("body") }
    var header: Tag { Tag("header") }
    var nav: Tag { Tag("nav") }
    var main: Tag { Tag("main") }
    var footer: Tag { Tag("footer") }
    var section: Tag { Tag("section") }
    var article: Tag { Tag("article") }
    var div: Tag { Tag("div") }
    var span: Tag { Tag("span") }
    var p: Tag { Tag("p") }
    var h1: Tag { Tag("h1") }
    var h2: Tag { Tag("h2") }
    var h3: Tag { Tag("h3") }
    var a: Tag { Tag("a") }
    var ul: Tag { Tag("ul") }
    var ol: Tag { Tag("ol") }
    var li: Tag { Tag("li") }
    var dl: Tag { Tag("dl") }
    var dt: Tag { Tag("dt") }
    var dd: Tag { Tag("dd") }
    var code: Tag { Tag("code") }
    var pre: Tag { Tag("pre") }
    var strong: Tag { Tag("strong") }
    var small: Tag { Tag("small") }
    var bdi: Tag { Tag("bdi") }
    var time: Tag { Tag("time") }
    var br: Tag { Tag("br", isVoid: true) }

    var figure: Tag { Tag("figure") }
    var figcaption: Tag { Tag("figcaption") }
    var details: Tag { Tag("details") }
    var summary: Tag { Tag("summary") }
    var table: Tag { Tag("table") }
    var caption: Tag { Tag("caption") }
    var thead: Tag { Tag("thead") }
    var tbody: Tag { Tag("tbody") }
    var tr: Tag { Tag("tr") }
    var th: Tag { Tag("th") }
    var td: Tag { Tag("td") }

    var form: Tag { Tag("form") }
    var fieldset: Tag { Tag("fieldset") }
    var legend: Tag { Tag("legend") }
    var label: Tag { Tag("label") }
    var input: Tag { Tag("input", isVoid: true) }
    var textarea: Tag { Tag("textarea") }
    var select: Tag { Tag("select") }
    var option: Tag { Tag("option") }
    var button: Tag { Tag("button") }
    var noscript: Tag { Tag("noscript") }
    var progress: Tag { Tag("progress") }

    var svg: Tag { Tag("svg") }
    var g: Tag { Tag("g") }
    var defs: Tag { Tag("defs") }
    var pattern: Tag { Tag("pattern") }
    var line: Tag { Tag("line") }
    var rect: Tag { Tag("rect") }
    var circle: Tag { Tag("circle") }
    var path: Tag { Tag("path") }
    var polyline: Tag { Tag("polyline") }
    var polygon: Tag { Tag("polygon") }
    /// Text in a drawing.
    var svgText: Tag { Tag("text") }
    /// What a drawing or a part of it is called: shown when it is pointed at, read out aloud.
    var svgTitle: Tag { Tag("title") }

    /// Pieces one after another, where there is no element around them.
    func pieces(@HTMLBuilder _ content: () throws -> HTML) rethrows -> HTML { try content() }
}
