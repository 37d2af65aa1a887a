extension Jinja {
    /// Python's string operations. Texts are sequences of code points; bytes are compared, never looks.
    enum PythonText {
        /// `str.isspace` of one code point.
        static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 9...13, 28...32, 0x85, 0xA0: true
            case 0..<0x1680: false
            default: scalar.properties.isWhitespace
            }
        }

        /// `\w` of regular expressions.
        static func isWord(_ scalar: Unicode.Scalar) -> Bool {
            if scalar.isASCII {
                return scalar == "_" || Character(scalar).isLetter || Character(scalar).isNumber
            }
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
                .decimalNumber, .letterNumber, .otherNumber:
                return true
            default: return false
            }
        }

        /// `str.isprintable` of one code point.
        static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
                .paragraphSeparator:
                false
            case .spaceSeparator: scalar == " "
            default: true
            }
        }

        static func isEqual(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

        /// Order of code points, which is the order of UTF-8's bytes.
        static func isLess(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

        static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars)
            return String(view)
        }

        static func length(_ text: String) -> Int { text.unicodeScalars.count }

        // MARK: Stripping

        /// `strip`, `lstrip` and `rstrip`; without `characters`, white space.
        static func stripped(
            _ text: String, _ characters: String? = nil, left: Bool = true, right: Bool = true
        ) -> String {
            let set = characters.map { Set($0.unicodeScalars) }
            let drops: (Unicode.Scalar) -> Bool = { set?.contains($0) ?? isSpace($0) }
            var scalars = text.unicodeScalars[...]
            if left { scalars = scalars.drop(while: drops) }
            if right {
                while let last = scalars.last, drops(last) { scalars.removeLast() }
            }
            return String(scalars)
        }

        // MARK: Searching

        /// Byte offsets at which `part`, which is not empty, stands in `text`, without overlap.
        ///
        /// Knuth, Morris, Pratt: the time is linear whatever the texts are.
        static func places(of part: String, in text: String, limit: Int = .max) -> [Int] {
            let needle = Array(part.utf8)
            var borders = [0]
            var length = 0
            for index in needle.indices.dropFirst() {
                while length > 0, needle[index] != needle[length] { length = borders[length - 1] }
                if needle[index] == needle[length] { length += 1 }
                borders.append(length)
            }
            var found: [Int] = []
            length = 0
            for (index, byte) in text.utf8.enumerated() {
                while length > 0, byte != needle[length] { length = borders[length - 1] }
                if byte == needle[length] { length += 1 }
                guard length == needle.count else { continue }
                found.append(index + 1 - length)
                if found.count == limit { break }
                length = 0
            }
            return found
        }

        static func contains(_ text: String, _ part: String) -> Bool {
            part.isEmpty || !places(of: part, in: text, limit: 1).isEmpty
        }

        /// `str.split` and `str.rsplit` with a separator, which is not empty.
        static func split(_ text: String, by separator: String, limit: Int, fromEnd: Bool = false)
            -> [String]
        {
            let bytes = Array(text.utf8)
            let width = separator.utf8.count
            var cuts = places(of: separator, in: text)
            if limit >= 0 { cuts = fromEnd ? Array(cuts.suffix(limit)) : Array(cuts.prefix(limit)) }
            var parts: [String] = []
            var start = 0
            for cut in cuts {
                parts.append(String(decoding: bytes[start..<cut], as: UTF8.self))
                start = cut + width
            }
            return parts + [String(decoding: bytes[start...], as: UTF8.self)]
        }

        /// `str.split` and `str.rsplit` at runs of white space.
        static func splitWords(_ text: String, limit: Int, fromEnd: Bool = false) -> [String] {
            if fromEnd {
                let reversed = self.text(text.unicodeScalars.reversed())
                return splitWords(reversed, limit: limit).reversed()
                    .map { self.text($0.unicodeScalars.reversed()) }
            }
            var rest = text.unicodeScalars[...]
            var words: [String] = []
            while true {
                rest = rest.drop(while: isSpace)
                guard !rest.isEmpty else { return words }
                guard limit < 0 || words.count < limit else {
                    return words + [String(rest)]
                }
                let word = rest.prefix { !isSpace($0) }
                words.append(String(word))
                rest = rest[word.endIndex...]
            }
        }

        /// `str.splitlines`.
        static func lines(_ text: String, keepEnds: Bool = false) -> [String] {
            let ends: Set<Unicode.Scalar> = [
                "\n", "\r", "\u{B}", "\u{C}", "\u{1C}", "\u{1D}", "\u{1E}", "\u{85}", "\u{2028}", "\u{2029}",
            ]
            let scalars = Array(text.unicodeScalars)
            var lines: [String] = []
            var start = 0
            var index = 0
            while index < scalars.count {
                guard ends.contains(scalars[index]) else {
                    index += 1
                    continue
                }
                let isPair = scalars[index] == "\r" && index + 1 < scalars.count && scalars[index + 1] == "\n"
                let next = index + (isPair ? 2 : 1)
                lines.append(self.text(scalars[start..<(keepEnds ? next : index)]))
                start = next
                index = next
            }
            if start < scalars.count { lines.append(self.text(scalars[start...])) }
            return lines
        }

        /// `str.replace`; a negative limit means all.
        static func replaced(_ text: String, _ old: String, by new: String, limit: Int) -> String {
            if old.isEmpty {
                var out = ""
                var count = 0
                for scalar in text.unicodeScalars {
                    if limit < 0 || count < limit { out += new }
                    count += 1
                    out.unicodeScalars.append(scalar)
                }
                return limit < 0 || count < limit ? out + new : out
            }
            return split(text, by: old, limit: limit).joined(separator: new)
        }

        // MARK: Case

        static func lower(_ text: String) -> String {
            // Swift lowers each code point by itself; the Greek sigma depends on its neighbours.
            guard text.unicodeScalars.contains("\u{3A3}") else { return text.lowercased() }
            let scalars = Array(text.unicodeScalars)
            let ignores: (Unicode.Scalar) -> Bool = { $0.properties.isCaseIgnorable }
            return scalars.indices.map { index -> String in
                guard scalars[index] == "\u{3A3}" else { return scalars[index].properties.lowercaseMapping }
                let before = scalars[..<index].last { !ignores($0) }
                let after = scalars[(index + 1)...].first { !ignores($0) }
                let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
                return isFinal ? "\u{3C2}" : "\u{3C3}"
            }.joined()
        }

        static func upper(_ text: String) -> String {
            text.unicodeScalars.map(\.properties.uppercaseMapping).joined()
        }

        /// `str.capitalize`.
        static func capitalized(_ text: String) -> String {
            guard let first = text.unicodeScalars.first else { return text }
            // The rest is lowered with the first in sight, so that a sigma at its end is a final one.
            let rest = lower(text).unicodeScalars.dropFirst(
                first.properties.lowercaseMapping.unicodeScalars.count)
            return first.properties.titlecaseMapping + String(String.UnicodeScalarView(rest))
        }

        /// `str.title`: a letter after something without case is a capital.
        static func titled(_ text: String) -> String {
            var isInWord = false
            return text.unicodeScalars.map { scalar -> String in
                defer { isInWord = scalar.properties.isCased }
                return isInWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            }.joined()
        }

        /// The filter `title`: words end at spaces, hyphens and opening brackets only.
        static func wordsTitled(_ text: String) -> String {
            var out = ""
            var word = ""
            let flush = {
                guard let first = word.unicodeScalars.first else { return }
                out += first.properties.uppercaseMapping
                out += lower(String(word.unicodeScalars.dropFirst()))
                word = ""
            }
            for scalar in text.unicodeScalars {
                if isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar) {
                    flush()
                    out.unicodeScalars.append(scalar)
                } else {
                    word.unicodeScalars.append(scalar)
                }
            }
            flush()
            return out
        }

        /// HTML escaping as MarkupSafe does it.
        static func escaped(_ text: String) -> String {
            var out = ""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "&": out += "&amp;"
                case "<": out += "&lt;"
                case ">": out += "&gt;"
                case "'": out += "&#39;"
                case "\"": out += "&#34;"
                default: out.unicodeScalars.append(scalar)
                }
            }
            return out
        }
    }
}

extension Jinja.PythonText {
    /// The value of a string literal: Python's escapes.
    static func unescaped(_ literal: ArraySlice<Unicode.Scalar>) throws -> String {
        let simple: [Unicode.Scalar: String] = [
            "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "\n": "", "a": "\u{7}",
            "b": "\u{8}", "f": "\u{C}", "v": "\u{B}",
        ]
        let widths: [Unicode.Scalar: Int] = ["x": 2, "u": 4, "U": 8]
        var out = ""
        var index = literal.startIndex
        while index < literal.endIndex {
            let scalar = literal[index]
            index += 1
            guard scalar == "\\", index < literal.endIndex else {
                out.unicodeScalars.append(scalar)
                continue
            }
            let mark = literal[index]
            index += 1
            if let plain = simple[mark] {
                out += plain
            } else if let width = widths[mark] {
                out.unicodeScalars.append(try number(literal[index...].prefix(width), width, radix: 16))
                index += width
            } else if ("0"..."7").contains(mark) {
                let digits = literal[(index - 1)...].prefix(3).prefix { ("0"..."7").contains($0) }
                out.unicodeScalars.append(try number(digits, digits.count, radix: 8))
                index += digits.count - 1
            } else if mark == "N" {
                throw Jinja.Failure.unsupported("the escape '\\N'")
            } else {
                out += "\\" + (mark.isASCII ? String(mark) : codePoint(mark, "x"))
            }
        }
        return out
    }

    private static func number(_ digits: ArraySlice<Unicode.Scalar>, _ width: Int, radix: Int) throws
        -> Unicode.Scalar
    {
        guard digits.count == width, digits.allSatisfy(\.properties.isASCIIHexDigit),
            let value = UInt32(text(digits), radix: radix), let scalar = Unicode.Scalar(value)
        else { throw Jinja.Failure("the escape of '\(text(digits))' names no character") }
        return scalar
    }

    /// `x..`, `u....` or `U........`, the shortest that holds the code point but not shorter than `smallest`.
    static func codePoint(_ scalar: Unicode.Scalar, _ smallest: String) -> String {
        let digits = String(scalar.value, radix: 16)
        let width = scalar.value > 0xFFFF ? 8 : scalar.value > 0xFF || smallest == "u" ? 4 : 2
        let letter = width == 8 ? "U" : width == 4 ? "u" : "x"
        return letter + String(repeating: "0", count: width - digits.count) + digits
    }

    /// `repr` of a float: the shortest digits that read back the same.
    static func representation(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        let magnitude = abs(value)
        if magnitude == 0 || (1e-4..<1e16).contains(magnitude) {
            return plain(value)
        }
        let (digits, exponent) = decimal(magnitude)
        let mantissa = digits.count == 1 ? digits : "\(digits.prefix(1)).\(digits.dropFirst())"
        let power = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
        return (value < 0 ? "-" : "") + mantissa + "e" + (exponent < 0 ? "-" : "+") + power
    }

    private static func plain(_ value: Double) -> String {
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        let (digits, exponent) = decimal(abs(value))
        let sign = value < 0 ? "-" : ""
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 {
            return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
        }
        return sign + "\(digits.prefix(exponent + 1)).\(digits.dropFirst(exponent + 1))"
    }

    /// Significant digits without zeros at the ends, and the power of ten of the first.
    private static func decimal(_ value: Double) -> (digits: String, exponent: Int) {
        // Swift's description has the same shortest digits, but turns to exponents at other sizes.
        let parts = "\(value)".split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
        let all = String(mantissa[0]) + fraction
        let leading = all.prefix { $0 == "0" }.count
        var digits = String(all.dropFirst(leading))
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        let power = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        return (digits, mantissa[0].count - 1 - leading + power)
    }
}
