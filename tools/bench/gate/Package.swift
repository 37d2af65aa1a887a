// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product carries no benchmark; the modules are links to the
// repository's, so that it builds without any third-party package.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "gate-bench",
    targets: [
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "PawlCore", dependencies: ["CLibCrypto"], swiftSettings: settings),
        .target(name: "PawlGate", dependencies: ["PawlCore"], swiftSettings: settings),
        .target(name: "Randomness", swiftSettings: settings),
        .executableTarget(
            name: "gate-calibration", dependencies: ["PawlGate", "Randomness"], swiftSettings: settings),
        .executableTarget(
            name: "gate-histories", dependencies: ["PawlGate", "Randomness"], swiftSettings: settings),
    ]
)
