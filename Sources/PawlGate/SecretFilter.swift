internal import Foundation

/// Finds in text what must not be trained on: credentials, and what identifies a person.
///
/// The approach is that of secret scanners (gitleaks, detect-secrets): the published form of each kind, then a check that
/// random text fails (Luhn, IBAN's remainder, entropy). It errs towards finding: a version number that looks like an address
/// is masked, while a name or a street is not found at all. docs/harvest.md lists every kind.
public struct SecretFilter: Sendable {
    /// What was found.
    public enum Kind: String, Codable, Sendable, CaseIterable, Comparable {
        case privateKey = "private_key"
        case apiKey = "api_key"
        case token
        case password
        case urlCredentials = "url_credentials"
        case highEntropy = "high_entropy"
        case iban
        case cardNumber = "card_number"
        case socialSecurityNumber = "social_security_number"
        case email
        case phoneNumber = "phone_number"
        case ipAddress = "ip_address"

        public static func < (a: Kind, b: Kind) -> Bool { a.rawValue < b.rawValue }
    }

    /// Version of the patterns, kept with what they made: a later version may find more.
    public static let version = 1

    private struct Rule {
        let kind: Kind
        let expression: NSRegularExpression
        let accepts: @Sendable (String) -> Bool
    }

    private static let rules = makeRules()

    /// Makes the filter.
    public init() {}

    /// The text with `[kind]` in place of each finding, and the kinds in the order of the text.
    public func masked(_ text: String) -> (text: String, found: [Kind]) {
        let whole = text as NSString
        var findings: [(kind: Kind, range: NSRange)] = []
        for rule in Self.rules {
            let matches = rule.expression.matches(
                in: text, range: NSRange(location: 0, length: whole.length))
            for match in matches {
                // A rule with a group finds the group: the word "password" before it stays.
                let range = match.range(at: rule.expression.numberOfCaptureGroups > 0 ? 1 : 0)
                guard range.location != NSNotFound, rule.accepts(whole.substring(with: range)),
                    !findings.contains(where: { NSIntersectionRange($0.range, range).length > 0 })
                else { continue }
                findings.append((rule.kind, range))
            }
        }
        findings.sort { $0.range.location < $1.range.location }
        let result = NSMutableString(string: text)
        for finding in findings.reversed() {
            result.replaceCharacters(in: finding.range, with: "[\(finding.kind.rawValue)]")
        }
        return (result as String, findings.map(\.kind))
    }
}

extension SecretFilter {
    /// The rules, those of the longest and surest forms first: of two findings that overlap the first one counts.
    private static func makeRules() -> [Rule] {
        forms.map { kind, pattern in
            guard let expression = try? NSRegularExpression(pattern: pattern) else {
                preconditionFailure("the pattern of \(kind.rawValue) is not an expression: \(pattern)")
            }
            return Rule(kind: kind, expression: expression, accepts: check(kind))
        }
    }

    /// The published forms. A group in a pattern is the secret itself; without one the whole match is.
    private static let forms: [(Kind, String)] = [
        (
            .privateKey,
            #"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\z)"#
        ),
        (.urlCredentials, #"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@"#),
        (.apiKey, #"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"#),  // AWS
        (.apiKey, #"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"#),
        (.apiKey, #"\bgl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{20,}"#),  // GitLab
        (.apiKey, #"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bhooks\.slack\.com/services/[A-Za-z0-9/]{20,}"#),
        (.apiKey, #"\bAIza[A-Za-z0-9_-]{35}"#),  // Google
        (.apiKey, #"\b[sr]k[-_][A-Za-z0-9_-]{20,}"#),  // OpenAI, Anthropic, Stripe
        (
            .apiKey,
            #"\b(?:hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|dop_v1_[a-f0-9]{64})"#
        ),
        (.apiKey, #"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"#),  // SendGrid
        (.apiKey, #"\b[0-9]{8,10}:[A-Za-z0-9_-]{35}\b"#),  // Telegram
        (.token, #"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"#),  // JSON Web Token
        (.token, #"(?i)\bbearer\s+([A-Za-z0-9._~+/-]{16,}=*)"#),
        (.password, #"(?i)\b(?:\#(secretWords))\b["']?\s*(?::=|=>|:|=)\s*["']?([^\s"',;]{4,})"#),
        (
            .password,
            #"(?i)\b(?:\#(secretWords)|pin)\b(?:\s+(?:was|is))\s+["']?((?=[^\s"',;]*[0-9])[^\s"',;]{4,})"#
        ),
        // "the password abc-123" without a verb: longer, with a letter too, since "password 2 of 3" is no secret.
        (
            .password,
            #"(?i)\b(?:\#(secretWords))\s+["'`]?((?=[^\s"',;]*[0-9])(?=[^\s"',;]*\p{L})[^\s"',;]{6,})"#
        ),
        (.iban, #"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"#),
        (.cardNumber, #"(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])"#),
        (
            .socialSecurityNumber,
            #"(?<![0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9-])"#
        ),
        (.email, #"[\p{L}0-9._%+-]+@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)*\.\p{L}{2,}"#),
        (
            .ipAddress,
            #"(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?![0-9.]*[0-9])"#
        ),
        (.ipAddress, #"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![0-9A-Fa-f:])"#),
        (.phoneNumber, #"(?<![0-9A-Za-z])\+[0-9](?:[ ().-]{0,2}[0-9]){7,14}(?![0-9])"#),
        (.phoneNumber, #"(?<![0-9A-Za-z.])(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}(?![0-9])"#),
        (.phoneNumber, #"(?<![0-9A-Za-z.,])0[0-9]{1,4}[ /-][0-9]{2,4}(?:[ -]?[0-9]{2,4}){1,3}(?![0-9])"#),
        (.highEntropy, #"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}={0,2}"#),
    ]

    private static let secretWords =
        "password|passwd|passphrase|passcode|pwd|secret|api[_ -]?key|access[_ -]?key|access[_ -]?token|auth[_ -]?token|client[_ -]?secret"

    /// What a match must pass beside its form.
    private static func check(_ kind: Kind) -> @Sendable (String) -> Bool {
        switch kind {
        case .cardNumber: isCardNumber
        case .iban: isIBAN
        case .highEntropy: isRandom
        case .password: { !$0.hasPrefix("[") }  // a mask, or a placeholder in a manual
        default: { _ in true }
        }
    }

    /// Luhn's check digit over 13 to 19 digits (ISO/IEC 7812-1, annex B).
    @Sendable private static func isCardNumber(_ text: String) -> Bool {
        let digits = text.compactMap(\.wholeNumberValue)
        guard (13...19).contains(digits.count) else { return false }
        let sum = digits.reversed().enumerated().reduce(0) { sum, entry in
            let value = entry.offset % 2 == 0 ? entry.element : entry.element * 2
            return sum + (value > 9 ? value - 9 : value)
        }
        return sum % 10 == 0
    }

    /// The remainder of 97 (ISO 13616-1): the first four characters at the end, letters as 10 to 35.
    @Sendable private static func isIBAN(_ text: String) -> Bool {
        let characters = text.filter { $0 != " " }
        guard (15...34).contains(characters.count) else { return false }
        var remainder = 0
        for character in characters.dropFirst(4) + characters.prefix(4) {
            guard let value = character.hexDigitValue ?? letterValue(character) else { return false }
            remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
        }
        return remainder == 1
    }

    private static func letterValue(_ character: Character) -> Int? {
        guard let ascii = character.asciiValue, (65...90).contains(ascii) else { return nil }
        return Int(ascii) - 55
    }

    /// A key rather than a long word, a path or a number: letters and digits, and Shannon's entropy of at least 3 bits a
    /// character for hexadecimal text, 4 for the rest (detect-secrets takes 3 and 4.5).
    @Sendable private static func isRandom(_ text: String) -> Bool {
        guard text.contains(where: \.isNumber), text.contains(where: \.isLetter) else { return false }
        var counts: [Character: Int] = [:]
        for character in text { counts[character, default: 0] += 1 }
        let total = Double(text.count)
        let entropy = counts.values.reduce(0.0) { sum, count in
            let share = Double(count) / total
            return sum - share * log2(share)
        }
        return entropy >= (text.allSatisfy(\.isHexDigit) ? 3 : 4)
    }
}
