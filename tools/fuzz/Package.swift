// swift-tools-version: 6.2
import PackageDescription

// A package of its own, since everything in it is built with sanitizers and libFuzzer's counters; the modules are links
// to the repository's. `run` builds it.
let counters = "inline-8bit-counters,pc-table,trace-cmp,indirect-calls"
let swift: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // Overflow and bounds stay checked with -O; the fuzzer sees every comparison.
    .unsafeFlags(["-enable-testing", "-sanitize=address", "-sanitize-coverage=edge,\(counters)"]),
]
let c: [CSetting] = [
    .unsafeFlags([
        "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fsanitize-coverage=edge,\(counters)",
    ])
]

let package = Package(
    name: "fuzz",
    targets: [
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CCodec", cSettings: c),
        .target(name: "FuzzDriver"),
        .target(name: "PawlCore", dependencies: ["CLibCrypto"], swiftSettings: swift),
        .target(name: "PawlStore", dependencies: ["PawlCore", "CCodec", "CZstd"], swiftSettings: swift),
        // The readers of the registry's documents, without its database.
        .target(name: "PawlRecords", dependencies: ["PawlCore", "PawlStore"], swiftSettings: swift),
        .executableTarget(
            name: "fuzz", dependencies: ["PawlCore", "PawlStore", "PawlRecords", "CCodec", "FuzzDriver"],
            swiftSettings: swift,
            linkerSettings: [
                .unsafeFlags(["-sanitize=address"]), .linkedLibrary("stdc++"),
            ]),
    ]
)
