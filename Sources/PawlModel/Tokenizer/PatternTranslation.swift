internal import PawlCore

/// Turns an expression in Oniguruma's Ruby syntax into one that means the same to PCRE2 with UTF and UCP.
///
/// Only constructs whose meaning is known to agree, or that can be rewritten so that it does, pass;
/// everything else is refused, since a silent difference would be a wrong token.
struct PatternTranslation {
    /// General categories that may be named in `\p{...}`.
    private static let categories: Set<String> = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd",
        "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp",
    ]
    /// What `\s` means to Oniguruma, inside a class: Unicode's White_Space. PCRE2's own differs by U+180E.
    private static let whiteSpace = "\\p{Z}\\x{9}-\\x{d}\\x{85}"
    /// Runs of letters that match a single other character when case is ignored (ß, ligatures).
    private static let foldingRuns = ["ss", "ff", "fi", "fl", "st"]
    /// Group openings with the same meaning in both syntaxes.
    private static let groups = ["?:", "?=", "?!", "?<=", "?<!", "?>"]

    private let source: [Unicode.Scalar]
    private let field: TokenizerField
    private var position = 0
    private var output = ""

    /// Translates `expression`; `field` is where it stands, for errors.
    static func translate(_ expression: String, at field: TokenizerField) throws -> String {
        var translation = PatternTranslation(source: Array(expression.unicodeScalars), field: field)
        while translation.position < translation.source.count { try translation.element() }
        return translation.output
    }

    private init(source: [Unicode.Scalar], field: TokenizerField) {
        self.source = source
        self.field = field
    }

    private func refusal(_ what: String) -> PawlError {
        field.unsupported("\(what) at character \(position + 1) of the expression")
    }

    private func starts(with text: String) -> Bool {
        source[position...].starts(with: text.unicodeScalars)
    }

    private mutating func take() throws -> Unicode.Scalar {
        guard position < source.count else { throw refusal("an unexpected end") }
        defer { position += 1 }
        return source[position]
    }

    private mutating func element() throws {
        switch try take() {
        case "\\": output += try escape(inClass: false)
        case "[": try characterClass()
        case "(": try group()
        case ".": output += "[^\\n]"
        case "?", "*", "+":
            output.unicodeScalars.append(source[position - 1])
            try suffix(allowed: ["?", "+"])
        case "{": try bounds()
        case "|": output += "|"
        case ")": output += ")"
        case "]", "}", "^", "$": throw refusal("an unescaped \"\(source[position - 1])\"")
        case let scalar: output += Self.literal(scalar)
        }
    }

    /// `?` (lazy) or `+` (possessive) after a quantifier; a further quantifier differs between the engines.
    private mutating func suffix(allowed: Set<Unicode.Scalar>) throws {
        guard position < source.count else { return }
        if allowed.contains(source[position]) { output.unicodeScalars.append(try take()) }
        guard position < source.count else { return }
        if ["?", "*", "+", "{"].contains(source[position]) { throw refusal("a repeated quantifier") }
    }

    private mutating func bounds() throws {
        var text = ""
        while position < source.count, source[position] != "}" { text.unicodeScalars.append(try take()) }
        _ = try take()
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false)
        let areNumbers = numbers.enumerated().allSatisfy { index, number in
            (index == 1 && number.isEmpty) || (UInt16(number) != nil && number.first != "+")
        }
        guard numbers.count <= 2, areNumbers else { throw refusal("the quantifier {\(text)}") }
        output += "{\(text)}"
        try suffix(allowed: [])
    }

    private mutating func group() throws {
        output += "("
        guard position < source.count, source[position] == "?" else { return }
        if starts(with: "?i:") {
            position += 3
            output += "?i:"
            return try caselessAlternatives()
        }
        guard let opening = Self.groups.first(where: starts(with:)) else { throw refusal("a group") }
        position += opening.unicodeScalars.count
        output += opening
    }

    /// Alternatives of ASCII literals, up to the closing parenthesis: folding of anything else may differ.
    private mutating func caselessAlternatives() throws {
        var run = ""
        while true {
            let scalar = try take()
            if scalar == ")" || scalar == "|" {
                if Self.foldingRuns.contains(where: run.lowercased().contains) {
                    throw refusal("letters that fold into one character, ignoring case")
                }
                output.unicodeScalars.append(scalar)
                if scalar == ")" { return }
                run = ""
            } else {
                guard scalar.isASCII, !"\\[](){}.?*+^$".unicodeScalars.contains(scalar) else {
                    throw refusal("\"\(scalar)\" inside (?i:...)")
                }
                run.unicodeScalars.append(scalar)
                output += Self.literal(scalar)
            }
        }
    }

    private mutating func characterClass() throws {
        output += "["
        if starts(with: "^") {
            position += 1
            output += "^"
        }
        guard !starts(with: "]") else { throw refusal("an empty class") }
        while true {
            switch try take() {
            case "]":
                output += "]"
                return
            case "\\": output += try escape(inClass: true)
            case "[": throw refusal("a class inside a class")
            case "&" where starts(with: "&"): throw refusal("an intersection of classes")
            case "-": output += starts(with: "]") || output.hasSuffix("[") ? "\\-" : "-"
            case let scalar: output += Self.literal(scalar)
            }
        }
    }

    private mutating func escape(inClass: Bool) throws -> String {
        let scalar = try take()
        switch scalar {
        case "p", "P": return try category(negated: scalar == "P")
        case "s": return inClass ? Self.whiteSpace : "[\(Self.whiteSpace)]"
        case "S" where !inClass: return "[^\(Self.whiteSpace)]"
        case "d": return "\\p{Nd}"
        case "D" where !inClass: return "\\P{Nd}"
        case "r", "n", "t", "f": return "\\\(scalar)"
        case "x" where starts(with: "{"):
            position += 1
            return try hexadecimal(until: "}")
        case "x": return try hexadecimal(digits: 2)
        case "u": return try hexadecimal(digits: 4)
        default:
            let isLetterOrDigit = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            guard scalar.isASCII, !isLetterOrDigit else { throw refusal("\"\\\(scalar)\"") }
            return "\\\(scalar)"
        }
    }

    private mutating func category(negated: Bool) throws -> String {
        guard try take() == "{" else { throw refusal("a property without braces") }
        var name = ""
        while position < source.count, source[position] != "}" { name.unicodeScalars.append(try take()) }
        _ = try take()
        let isNegated = name.hasPrefix("^")
        if isNegated { name.removeFirst() }
        guard Self.categories.contains(name) else { throw refusal("the property \\p{\(name)}") }
        return "\\\(negated == isNegated ? "p" : "P"){\(name)}"
    }

    private mutating func hexadecimal(digits: Int = 8, until end: Unicode.Scalar? = nil) throws -> String {
        var text = ""
        for _ in 0..<digits {
            guard position < source.count, source[position] != end else { break }
            text.unicodeScalars.append(try take())
        }
        if end != nil { position += 1 }
        guard text.allSatisfy(\.isHexDigit), end != nil || text.count == digits,
            let value = UInt32(text, radix: 16), Unicode.Scalar(value) != nil
        else { throw refusal("a character's number") }
        return "\\x{\(text)}"
    }

    /// A scalar that stands for itself; outside letters and digits by number, so that it has no meaning.
    private static func literal(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9": String(scalar)
        default: "\\x{\(String(scalar.value, radix: 16))}"
        }
    }
}
