internal import PawlCore

/// The settings that Metaspace has both as pre-tokenizer and as decoder.
struct MetaspaceSettings {
    /// The mark that stands for a space.
    let replacement: Unicode.Scalar
    /// `always`, `first` or `never`.
    let scheme: String

    init(_ field: TokenizerField) throws {
        try field.knowsOnly([
            "type", "replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep",
        ])
        let mark = try field.required("replacement")
        let scalars = Array(try mark.string().unicodeScalars)
        guard scalars.count == 1 else { throw mark.failure("must be one character") }
        replacement = scalars[0]
        let named = try field.optional("prepend_scheme")?.string() ?? "always"
        guard ["always", "first", "never"].contains(named) else {
            throw try field.required("prepend_scheme").unsupported("\"\(named)\" is no scheme that Pawl has")
        }
        // The older files' `add_prefix_space: false` is today's `never`.
        let prefixes = try field.flag("add_prefix_space", default: true)
        if !prefixes, field.optional("prepend_scheme") != nil, named != "never" {
            throw try field.required("add_prefix_space").failure("contradicts prepend_scheme")
        }
        scheme = prefixes ? named : "never"
    }
}
