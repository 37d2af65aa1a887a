import Foundation
import PawlCore
import Testing

@testable import PawlStore

@Suite struct SafetensorsTests {
    struct Malformed: CustomTestStringConvertible, Sendable {
        let what: String
        let bytes: [UInt8]
        /// What the error must say beside the name of the file.
        let says: [String]
        var testDescription: String { what }

        init(_ what: String, _ bytes: [UInt8], _ says: String...) {
            (self.what, self.bytes, self.says) = (what, bytes, says)
        }

        init(_ what: String, header: String, data: Int = 0, _ says: String...) {
            self.what = what
            bytes = safetensors(header: Array(header.utf8), data: Array(repeating: 1, count: data))
            self.says = says
        }
    }

    static let malformed: [Malformed] = [
        Malformed("empty file", [], "0 bytes"),
        Malformed("shorter than a length", [1, 2, 3], "3 bytes"),
        Malformed("header beyond the file", [200, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8), "cut off"),
        Malformed("header over 100 MB", [1, 0xE1, 0xF5, 0x05, 0, 0, 0, 0] + Array("{}".utf8), "100 MB"),
        Malformed("length over 63 bits", Array(repeating: 0xFF, count: 8) + Array("{}".utf8), "100 MB"),
        Malformed("not JSON", header: "{\"a\":", "not valid JSON"),
        Malformed("not UTF-8", safetensors(header: [0x7B, 0x22, 0xFF, 0x22], data: []), "UTF-8"),
        Malformed("header is a list", header: "[]", "does not begin with {"),
        Malformed("header is empty", header: "", "does not begin with {"),
        Malformed("text after the header", header: "{} x", "after the end"),
        Malformed(
            "duplicate name",
            header:
                #"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
            data: 2, "w", "twice"),
        Malformed(
            "unknown dtype", header: #"{"w":{"dtype":"Q4","shape":[1],"data_offsets":[0,1]}}"#, data: 1,
            "\"w\"", "Q4"),
        Malformed(
            "no dtype", header: #"{"w":{"shape":[1],"data_offsets":[0,1]}}"#, data: 1, "\"w\"", "dtype"),
        Malformed(
            "shape and length differ", header: #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
            data: 4, "\"w\"", "8 bytes", "4"),
        Malformed(
            "negative extent", header: #"{"w":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, data: 1,
            "\"w\"", "shape"),
        Malformed(
            "fractional extent", header: #"{"w":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#, data: 1,
            "\"w\"", "shape"),
        Malformed(
            "overflowing shape",
            header: #"{"w":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}}"#, data: 1,
            "\"w\"", "that fits"),
        Malformed(
            "half a byte", header: #"{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}"#, data: 1,
            "\"w\"", "whole number of bytes"),
        Malformed(
            "offsets end before they begin",
            header: #"{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, data: 1, "\"w\"", "1..0"),
        Malformed(
            "one offset", header: #"{"w":{"dtype":"U8","shape":[1],"data_offsets":[1]}}"#, data: 1, "\"w\"",
            "data_offsets"),
        Malformed(
            "overflowing offsets",
            header:
                #"{"w":{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}}"#,
            data: 1, "\"w\"", "beyond the file"),
        Malformed(
            "overlap",
            header:
                #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
            data: 3, "\"b\"", "\"a\"", "overlap"),
        Malformed(
            "gap",
            header:
                #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
            data: 3, "\"b\"", "gap of 1"),
        Malformed(
            "gap at the start", header: #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, data: 2,
            "\"a\"", "gap of 1"),
        Malformed(
            "cut off", header: #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, data: 3, "\"a\"",
            "cut off"),
        Malformed(
            "trailing bytes", header: #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: 3,
            "2 bytes", "\"a\""),
        Malformed("trailing bytes without tensors", header: "{}", data: 5, "5 bytes"),
        Malformed("entry is no object", header: #"{"a":1}"#, "\"a\""),
        Malformed(
            "unknown field", header: #"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}}"#, data: 1,
            "\"a\"", "\"x\""),
        Malformed("metadata is no object of strings", header: #"{"__metadata__":{"a":1}}"#, "__metadata__"),
        Malformed(
            "name with a line feed", header: #"{"a\nb":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}"#,
            data: 1, "a\\nb"),
    ]

    @Test("a malformed safetensors file is refused in one line that names it", arguments: malformed)
    func refused(malformed: Malformed) throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "source")
            try write(malformed.bytes, source, "sub/model.safetensors")
            let error = try #require(pawlError { _ = try store.importTree(source) })
            #expect(error.code == .invalidArgument)
            #expect(!error.message.contains("\n"))
            for part in malformed.says + ["sub/model.safetensors"] {
                #expect(error.message.contains(part), "\(error.message) does not say \(part)")
            }
            #expect(try store.documents().isEmpty)
        }
    }

    @Test("any order of entries, scalars, empty tensors and padded headers are taken")
    func unusualButValid() throws {
        try withTemporaryDirectory { directory in
            let store = try Store.create(at: directory.appending(path: "store"))
            let source = directory.appending(path: "source")
            let header =
                #"{"z":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}    "#
            try write(
                safetensors(header: Array(header.utf8), data: [1, 2, 3, 4, 5, 6]), source, "m.safetensors")
            try write(safetensors(header: Array("{}".utf8), data: []), source, "none.safetensors")
            let tree = try store.importTree(source).tree
            #expect(try store.tree(tree).pieces.compactMap(\.tensorName) == ["a", "e", "z"])
            try expectExport(store, tree, equals: source, directory)
            #expect(try store.verify(deep: true).isEmpty)
        }
    }
}
