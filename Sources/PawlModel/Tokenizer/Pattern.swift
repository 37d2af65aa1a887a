internal import CPCRE2
internal import PawlCore

/// A regular expression of tokenizer.json, compiled by PCRE2.
///
/// The file's expressions are written for Oniguruma; ``PatternTranslation`` turns them into ones that mean
/// the same to PCRE2, or refuses them. Compiled code is read-only and may serve several threads at once, as
/// PCRE2 documents; that is what `@unchecked` rests on.
final class Pattern: @unchecked Sendable {
    private let code: OpaquePointer

    /// Compiles an expression; `field` is where it stands, for errors.
    init(_ expression: String, at field: TokenizerField) throws {
        let translated = try PatternTranslation.translate(expression, at: field)
        var status: Int32 = 0
        var offset = 0
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP) | UInt32(PCRE2_NO_AUTO_CAPTURE)
        let compiled = Array(translated.utf8).withUnsafeBufferPointer {
            pcre2_compile_8($0.baseAddress, $0.count, options, &status, &offset, nil)
        }
        guard let compiled else {
            throw field.failure("no valid regular expression (PCRE2 error \(status) at byte \(offset))")
        }
        code = compiled
        var matchesNothing: UInt32 = 0
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_MATCHEMPTY), &matchesNothing)
        guard matchesNothing == 0 else {
            throw field.unsupported("an expression that matches an empty string")
        }
        // Without memory that may be executed (some hardened systems) PCRE2 interprets instead.
        _ = pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
    }

    deinit { pcre2_code_free_8(code) }

    /// Visits all matches in a piece of text, from left to right, as offsets into it.
    ///
    /// The text must be valid UTF-8. What stands around the piece is not seen.
    func matches(
        in text: UnsafeBufferPointer<UInt8>, _ matcher: PatternMatcher, _ visit: (Range<Int>) -> Void
    ) {
        if let aligned = UnicodeAge.aligned(text) {
            aligned.withUnsafeBufferPointer { search($0, matcher, visit) }
        } else {
            search(text, matcher, visit)
        }
    }

    private func search(
        _ text: UnsafeBufferPointer<UInt8>, _ matcher: PatternMatcher, _ visit: (Range<Int>) -> Void
    ) {
        var position = 0
        while position < text.count, let range = matcher.firstMatch(code, in: text, from: position) {
            visit(range)
            position = range.upperBound
        }
    }
}

/// PCRE2's working memory for one thread.
final class PatternMatcher {
    private let data = pcre2_match_data_create_8(1, nil)
    private let context = pcre2_match_context_create_8(nil)
    private let stack = pcre2_jit_stack_create_8(32 << 10, 16 << 20, nil)

    init() {
        // A limit would silently change the ids of a long line: PCRE2 gets all the steps and memory that it
        // asks for. What that costs is up to the expression, as in the reference.
        pcre2_set_match_limit_8(context, .max)
        pcre2_set_depth_limit_8(context, .max)
        pcre2_set_heap_limit_8(context, .max)
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
    }

    deinit {
        pcre2_match_data_free_8(data)
        pcre2_match_context_free_8(context)
        pcre2_jit_stack_free_8(stack)
    }

    /// The first match from a position on.
    fileprivate func firstMatch(
        _ code: OpaquePointer, in text: UnsafeBufferPointer<UInt8>, from start: Int
    ) -> Range<Int>? {
        guard let data, let base = text.baseAddress else { return nil }
        // The text is known to be UTF-8. Checking it again at every match would make long lines quadratic.
        let options = UInt32(PCRE2_NO_UTF_CHECK)
        var status = pcre2_match_8(code, base, text.count, start, options, data, context)
        if status == PCRE2_ERROR_JIT_STACKLIMIT {
            status = pcre2_match_8(
                code, base, text.count, start, options | UInt32(PCRE2_NO_JIT), data, context)
        }
        // Besides "no match" only "out of memory" is left.
        guard status >= 0, let found = pcre2_get_ovector_pointer_8(data) else { return nil }
        return found[0]..<found[1]
    }
}
