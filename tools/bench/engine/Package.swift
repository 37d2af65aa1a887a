// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product carries no benchmark; the modules are links to the
// repository's, so that it builds without any third-party package.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "engine-bench",
    targets: [
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(name: "CUtf8proc", providers: [.apt(["libutf8proc-dev"])]),
        .target(name: "COneDNN", linkerSettings: [.linkedLibrary("dnnl")]),
        .target(name: "CKernels", dependencies: ["COneDNN"]),
        module("PawlCore", ["CLibCrypto"]),
        module("PawlModel", ["PawlCore", "CKernels", "CPCRE2", "CUtf8proc"]),
        module("PawlSDFT", ["PawlCore", "PawlModel", "CKernels"]),
        .executableTarget(
            name: "engine-work", dependencies: ["PawlCore", "PawlModel", "PawlSDFT", "CKernels"],
            swiftSettings: settings),
    ]
)
