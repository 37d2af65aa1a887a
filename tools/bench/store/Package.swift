// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product carries no benchmark. The modules are links to the repository's.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "store-bench",
    targets: [
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CCodec"),
        .target(name: "PawlCore", dependencies: ["CLibCrypto"], swiftSettings: settings),
        .target(name: "PawlStore", dependencies: ["PawlCore", "CCodec", "CZstd"], swiftSettings: settings),
        .executableTarget(
            name: "store-rates", dependencies: ["PawlStore", "PawlCore"], swiftSettings: settings),
        .executableTarget(
            name: "import-memory", dependencies: ["PawlStore", "PawlCore"], swiftSettings: settings),
    ]
)
