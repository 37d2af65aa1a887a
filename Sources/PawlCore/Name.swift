/// The rule for names of skills, suites, engines and references.
public enum Name {
    /// Checks a name: lower-case letters, digits and hyphens, at most 63, starting with a letter or digit.
    ///
    /// - Parameter what: what is named, for the error ("skill name in skill.json").
    public static func check(_ name: String, _ what: String) throws {
        let allowed = name.utf8.allSatisfy { c in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(c)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c)
                || c == UInt8(ascii: "-")
        }
        guard allowed, (1...63).contains(name.utf8.count), name.first != "-" else {
            throw PawlError(
                .invalidArgument, "\(what): \"\(name)\" is not a name",
                hint:
                    "use lower-case letters, digits and hyphens, at most 63, starting with a letter or digit")
        }
    }

    /// Checks a version: three numbers separated by dots, with an optional suffix after a hyphen (semver).
    public static func checkVersion(_ version: String, _ what: String) throws {
        let core = version.prefix { $0 != "-" && $0 != "+" }.split(
            separator: ".", omittingEmptySubsequences: false)
        guard core.count == 3, core.allSatisfy({ UInt32($0) != nil }) else {
            throw PawlError(
                .invalidArgument, "\(what): \"\(version)\" is not a version", hint: "write it like 1.0.0")
        }
    }
}
