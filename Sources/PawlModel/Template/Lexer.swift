internal import PawlCore

/// The namespace of the template language: the part of Jinja that chat templates use, with Python's values.
///
/// What a construct means is what jinja2 3.1 does in the environment that transformers compiles chat
/// templates in: sandboxed and immutable, `trim_blocks` and `lstrip_blocks` on, no HTML escaping.
enum Jinja {}

extension Jinja {
    /// A token of a template and the line on which it stands.
    struct Token: Sendable {
        enum Kind: Sendable, Equatable {
            case text(String)
            case blockBegin, blockEnd, variableBegin, variableEnd, end
            case name(String)
            case string(String)
            case integer(Int)
            case float(Double)
            case sign(String)
        }
        let kind: Kind
        let line: Int
    }

    /// Cuts a template into text and tokens, and applies the rules for white space around tags.
    struct Lexer {
        private let source: [Unicode.Scalar]
        private var position = 0
        private var line = 1
        /// Whether the last piece taken ended with a line feed.
        private var isAtLineStart = true
        private var tokens: [Token] = []

        private static let signs: [[Unicode.Scalar]] = [
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
            ">", "<", "=", ".", ":", "|", ",", ";",
        ].map { Array($0.unicodeScalars) }
        private static let closing: [String: String] = ["(": ")", "[": "]", "{": "}"]

        /// All tokens of a template; throws ``Failure`` with its line.
        static func tokens(of source: String) throws -> [Token] {
            var lexer = Lexer(source)
            do {
                try lexer.run()
            } catch let failure as Failure {
                throw failure.at(line: lexer.line)
            }
            return lexer.tokens
        }

        /// Line ends become line feeds, and one at the very end is dropped.
        private init(_ source: String) {
            var scalars: [Unicode.Scalar] = []
            var last: Unicode.Scalar?
            for scalar in source.unicodeScalars {
                if !(scalar == "\n" && last == "\r") { scalars.append(scalar == "\r" ? "\n" : scalar) }
                last = scalar
            }
            if scalars.last == "\n" { scalars.removeLast() }
            self.source = scalars
        }

        private mutating func run() throws {
            while let start = nextTag() {
                let opening = source[start + 1]
                let mark = source.indices.contains(start + 2) ? source[start + 2] : " "
                let bodyStart = start + (mark == "-" || mark == "+" ? 3 : 2)
                if opening == "%", let rawStart = rawTag("raw", from: bodyStart) {
                    try takeText(upTo: start, mark: mark, isVariable: false)
                    advance(to: rawStart)
                    try takeRaw()
                    continue
                }
                try takeText(upTo: start, mark: mark, isVariable: opening == "{")
                advance(to: bodyStart)
                if opening == "#" {
                    try skipComment()
                } else {
                    try takeTag(isVariable: opening == "{")
                }
            }
            try takeText(upTo: source.count, mark: "+", isVariable: true)
            add(.end)
        }

        private func nextTag() -> Int? {
            var index = position
            while index + 1 < source.count {
                if source[index] == "{",
                    source[index + 1] == "%" || source[index + 1] == "{"
                        || source[index + 1] == "#"
                {
                    return index
                }
                index += 1
            }
            return nil
        }

        private mutating func add(_ kind: Token.Kind) { tokens.append(Token(kind: kind, line: line)) }

        /// Moves on, counting lines.
        private mutating func advance(to end: Int) {
            for index in position..<end where source[index] == "\n" { line += 1 }
            isAtLineStart = end > position ? source[end - 1] == "\n" : isAtLineStart
            position = end
        }

        /// Text before a tag: `-` strips all white space, else a tag that is alone at the start of its line
        /// takes the space before it along (`lstrip_blocks`); `+` and variables keep it.
        private mutating func takeText(upTo end: Int, mark: Unicode.Scalar, isVariable: Bool) throws {
            var last = end
            if mark == "-" {
                while last > position, PythonText.isSpace(source[last - 1]) { last -= 1 }
            } else if mark != "+", !isVariable {
                let lineStart = source[position..<end].lastIndex(of: "\n").map { $0 + 1 } ?? position
                if lineStart > position || isAtLineStart,
                    source[lineStart..<end].allSatisfy(PythonText.isSpace)
                {
                    last = lineStart
                }
            }
            if last > position { add(.text(text(position..<last))) }
            advance(to: end)
        }

        private func text(_ range: Range<Int>) -> String {
            String(String.UnicodeScalarView(source[range]))
        }

        private func matches(_ word: String, at index: Int) -> Bool {
            var index = index
            for scalar in word.unicodeScalars {
                guard index < source.count, source[index] == scalar else { return false }
                index += 1
            }
            return true
        }

        private func skippingSpace(_ index: Int) -> Int {
            var index = index
            while index < source.count, PythonText.isSpace(source[index]) { index += 1 }
            return index
        }

        /// Where a closing mark that starts at `index` ends: `-` takes white space, a block one line feed.
        private func closing(_ close: String, at index: Int, isVariable: Bool = false) -> Int? {
            if matches("-" + close, at: index) { return skippingSpace(index + 3) }
            if !isVariable, matches("+" + close, at: index) { return index + 3 }
            guard matches(close, at: index) else { return nil }
            return !isVariable && matches("\n", at: index + 2) ? index + 3 : index + 2
        }

        /// The end of `raw` or `endraw` and the closing mark, when they stand here.
        private func rawTag(_ word: String, from index: Int) -> Int? {
            let start = skippingSpace(index)
            guard matches(word, at: start) else { return nil }
            let end = skippingSpace(start + word.count)
            if word == "raw" {
                // A line feed after this one tag is kept.
                return matches("-%}", at: end)
                    ? skippingSpace(end + 3) : matches("%}", at: end) ? end + 2 : nil
            }
            return closing("%}", at: end)
        }

        private mutating func takeRaw() throws {
            var index = position
            while index < source.count {
                if matches("{%", at: index) {
                    let mark = index + 2 < source.count ? source[index + 2] : " "
                    if let end = rawTag("endraw", from: index + (mark == "-" || mark == "+" ? 3 : 2)) {
                        try takeText(upTo: index, mark: mark, isVariable: false)
                        advance(to: end)
                        return
                    }
                }
                index += 1
            }
            throw Failure("the tag 'raw' has no 'endraw'")
        }

        private mutating func skipComment() throws {
            var index = position
            while index < source.count {
                if let end = closing("#}", at: index) {
                    advance(to: end)
                    return
                }
                index += 1
            }
            throw Failure("a comment without its closing '#}'")
        }

        private mutating func takeTag(isVariable: Bool) throws {
            add(isVariable ? .variableBegin : .blockBegin)
            var open: [String] = []
            while position < source.count {
                if open.isEmpty,
                    let end = closing(isVariable ? "}}" : "%}", at: position, isVariable: isVariable)
                {
                    add(isVariable ? .variableEnd : .blockEnd)
                    return advance(to: end)
                }
                let scalar = source[position]
                if PythonText.isSpace(scalar) {
                    advance(to: position + 1)
                } else if ("0"..."9").contains(scalar) {
                    try takeNumber()
                } else if PythonText.isWord(scalar) {
                    try takeName()
                } else if scalar == "'" || scalar == "\"" {
                    try takeString(quote: scalar)
                } else {
                    try takeSign(&open)
                }
            }
            throw Failure("a tag without its closing '\(isVariable ? "}}" : "%}")'")
        }

        private mutating func takeSign(_ open: inout [String]) throws {
            guard let sign = Self.signs.first(where: { source[position...].starts(with: $0) }) else {
                throw Failure("the character '\(source[position])' has no meaning in a tag")
            }
            let word = text(position..<position + sign.count)
            if let close = Self.closing[word] {
                open.append(close)
            } else if [")", "]", "}"].contains(word), open.popLast() != word {
                throw Failure("'\(word)' closes nothing")
            }
            add(.sign(word))
            advance(to: position + sign.count)
        }

        private mutating func takeName() throws {
            var end = position
            while end < source.count, PythonText.isWord(source[end]) { end += 1 }
            guard source[position] == "_" || source[position].properties.isXIDStart else {
                throw Failure("'\(text(position..<end))' is no name")
            }
            add(.name(text(position..<end)))
            advance(to: end)
        }
    }
}

extension Jinja.Lexer {
    /// The end of digits with single underscores between them.
    private func digits(from start: Int, _ isDigit: (Unicode.Scalar) -> Bool) -> Int {
        var end = start
        while end < source.count {
            if isDigit(source[end]) {
                end += 1
            } else if source[end] == "_", end > start, end + 1 < source.count, isDigit(source[end + 1]) {
                end += 1
            } else {
                break
            }
        }
        return end
    }

    private mutating func takeNumber() throws {
        let radixes: [Unicode.Scalar: Int] = ["b": 2, "o": 8, "x": 16, "B": 2, "O": 8, "X": 16]
        if source[position] == "0", position + 1 < source.count, let radix = radixes[source[position + 1]] {
            let end = digits(from: position + 2) { Int(String($0), radix: radix) != nil }
            if end > position + 2 {
                return try addInteger(text(position + 2..<end), radix: radix, end: end)
            }
        }
        let decimal: (Unicode.Scalar) -> Bool = { ("0"..."9").contains($0) }
        let whole = digits(from: position, decimal)
        // After a dot the digits are an index (`rows.0.1`), never part of a float.
        if position == 0 || source[position - 1] != "." {
            var end = whole
            if end < source.count, source[end] == "." {
                let fraction = digits(from: end + 1, decimal)
                if fraction > end + 1 { end = fraction }
            }
            if end < source.count, source[end] == "e" || source[end] == "E" {
                let hasSign = end + 1 < source.count && (source[end + 1] == "+" || source[end + 1] == "-")
                let start = end + (hasSign ? 2 : 1)
                let exponent = digits(from: start, decimal)
                if exponent > start { end = exponent }
            }
            if end > whole, let value = Double(text(position..<end).filter { $0 != "_" }) {
                add(.float(value))
                return advance(to: end)
            }
        }
        let isZero = source[position] == "0"
        let end = isZero ? digits(from: position) { $0 == "0" } : whole
        try addInteger(text(position..<end), radix: 10, end: end)
    }

    private mutating func addInteger(_ digits: String, radix: Int, end: Int) throws {
        guard let value = Int(digits.filter { $0 != "_" }, radix: radix) else {
            throw Jinja.Failure("the integer \(digits) is out of range", .unsupported)
        }
        add(.integer(value))
        advance(to: end)
    }

    private mutating func takeString(quote: Unicode.Scalar) throws {
        var end = position + 1
        while end < source.count, source[end] != quote { end += source[end] == "\\" ? 2 : 1 }
        guard end < source.count else { throw Jinja.Failure("a string without its closing quote") }
        add(.string(try Jinja.PythonText.unescaped(source[(position + 1)..<end])))
        advance(to: end + 1)
    }
}
