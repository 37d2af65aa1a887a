import Foundation
import Testing

@testable import PawlGate

@Suite("Secrets in text")
struct SecretFilterTests {
    /// Made-up secrets in their published forms. They are put together here so that no scanner takes this file for a leak.
    static let secrets: [(SecretFilter.Kind, String)] = [
        (.apiKey, "AKIA" + "Q7ZTEXAMPLE4WXYZ"), (.apiKey, "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
        (.apiKey, "github_pat_" + "11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ"),
        (.apiKey, "glpat-" + "x9Yz8W7v6U5t4S3r2Q1p"),
        (.apiKey, "xoxb-" + "123456789012-abcdefGHIJKL"),
        (.apiKey, "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"),
        (.apiKey, "sk-" + "proj-Ab3dEf6hIj9lMn2pQr5tUv8x"),
        (.apiKey, "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc"),
        (.apiKey, "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"),
        (.token, "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"),
        (.urlCredentials, "postgres://admin:" + "s3cr3t@"), (.cardNumber, "4111 1111 1111 1111"),
        (.cardNumber, "5500-0055-5555-5559"), (.cardNumber, "378282246310005"),
        (.iban, "GB82 WEST 1234 5698 7654 32"),
        (.iban, "DE89370400440532013000"),
        (.email, "jürgen.o'neil+test@mail.example.co.uk".replacing("o'neil", with: "oneil")),
        (.phoneNumber, "+44 20 7946 0958"), (.phoneNumber, "(555) 867-5309"), (.phoneNumber, "030 1234 5678"),
        (.socialSecurityNumber, "219-09-9999"), (.ipAddress, "203.0.113.42"),
        (.ipAddress, "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
        (.highEntropy, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
        (
            .privateKey,
            "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE " + "KEY-----"
        ),
    ]

    @Test("each kind is found in a sentence, and masked whole", arguments: secrets)
    func found(kind: SecretFilter.Kind, secret: String) {
        let (text, found) = SecretFilter().masked("Use \(secret) for it.")
        #expect(found == [kind])
        #expect(
            text == "Use [\(kind.rawValue)] for it."
                || kind == .urlCredentials && text.hasPrefix("Use [url_credentials]"))
    }

    @Test(
        "a secret that a word announces is found; the word stays",
        arguments: [
            ("my password is hunter2", "my password is [password]"),
            ("PASSWORD=letmein!", "PASSWORD=[password]"),
            (#"{"api_key": "abcdef12"}"#, #"{"api_key": "[password]"}"#),
            ("the PIN was 48213", "the PIN was [password]"),
            ("use the password brot-77 for it", "use the password [password] for it"),
            ("Authorization: Bearer abcdefgh12345678XYZ", "Authorization: Bearer [token]"),
        ])
    func announced(text: String, masked: String) {
        #expect(SecretFilter().masked(text).text == masked)
    }

    @Test(
        "ordinary text stays as it is",
        arguments: [
            "My password is wrong, what can I do?", "The secret is out.", "Pi is 3.14159265358979323846.",
            "Between 1914 and 1918, 20 million died.", "It costs 1,234,567.89 dollars.",
            "4111 1111 1111 1112 fails the check.",
            "Call me at 5.", "ISBN 978-3-16-148410-0", "Version 2.10.4 of the library", "12 x 12 = 144",
            "pneumonoultramicroscopicsilicovolcanoconiosis", "Use https://example.org/path?query=1",
            "The range 100-200-300",
            "DE00370400440532013000 has the wrong remainder", "a@b",
            "--------------------------------------------",
        ])
    func ordinary(text: String) {
        let result = SecretFilter().masked(text)
        #expect(result.text == text && result.found.isEmpty)
    }

    @Test("several secrets are masked in the order of the text, and what is masked once stays masked")
    func several() {
        let first = SecretFilter().masked(
            "Mail a@b.example or b@c.example, or call +1 555 867 5309. password: qwerty12")
        #expect(first.found == [.email, .email, .phoneNumber, .password])
        #expect(first.text == "Mail [email] or [email], or call [phone_number]. password: [password]")
        #expect(SecretFilter().masked(first.text).found.isEmpty)
    }
}
