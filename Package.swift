// swift-tools-version: 6.2
import PackageDescription

// CI sets PAWL_STRICT=1: warnings in our own targets become errors there, while a newer
// toolchain's new warning never stops somebody who only wants to build.
let strict = Context.environment["PAWL_STRICT"] == "1"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

/// A library target of ours with the settings that all of them share.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

// The rows of the module map (ARCHITECTURE.md), lowest first: a target depends only on rows above
// it in this list. Tests/PawlCommandsTests/ModuleMapTests.swift checks it.
let package = Package(
    name: "pawl",
    products: [
        .executable(name: "pawl", targets: ["pawl"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        // Hummingbird brings these three; the files that speak HTTP name a few of their types.
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.0.0"),
    ],
    targets: [
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        // No pkgConfig: its file passes a flag that SwiftPM warns about, and nothing that is needed.
        .systemLibrary(name: "CUtf8proc", providers: [.apt(["libutf8proc-dev"])]),

        // libdnnl has no pkg-config file on Debian.
        .target(name: "COneDNN", linkerSettings: [.linkedLibrary("dnnl")]),
        .target(name: "CKernels", dependencies: ["COneDNN"]),
        .target(name: "CCodec"),

        module("PawlCore", ["CLibCrypto"]),

        module("PawlStore", ["PawlCore", "CCodec", "CZstd"]),
        module("PawlRegistry", ["PawlCore", "PawlStore", .product(name: "GRDB", package: "GRDB.swift")]),
        module("PawlGate", ["PawlCore"]),
        module("PawlModel", ["PawlCore", "CKernels", "CPCRE2", "CUtf8proc"]),
        module("PawlSDFT", ["PawlCore", "PawlModel", "CKernels"]),
        module(
            "PawlEngines",
            [
                "PawlCore", "PawlModel", "PawlSDFT",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        module(
            "PawlWorkflow",
            [
                "PawlCore", "PawlStore", "PawlRegistry", "PawlGate", "PawlModel", "PawlEngines",
            ]),
        module(
            "PawlServer",
            [
                "PawlCore", "PawlStore", "PawlRegistry", "PawlGate", "PawlModel", "PawlEngines",
                "PawlWorkflow",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        module(
            "PawlCommands",
            [
                "PawlCore", "PawlStore", "PawlRegistry", "PawlGate", "PawlEngines", "PawlWorkflow",
                "PawlServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(name: "pawl", dependencies: ["PawlCommands"], swiftSettings: settings),

        // Encodes lines for tools/check-tokenizers, which compares them with the tokenizers package.
        .executableTarget(
            name: "tokenize-lines", dependencies: ["PawlCore", "PawlModel"], swiftSettings: settings),
        // Runs a whole model for tools/check-base-model, which compares it with transformers and TRL.
        .executableTarget(
            name: "compare-model", dependencies: ["PawlCore", "CKernels", "PawlModel", "PawlSDFT"],
            swiftSettings: settings),

        tests("PawlCoreTests", ["PawlCore"]),
        tests("CKernelsTests", ["CKernels"]),
        tests("PawlModelTests", ["PawlModel", "PawlCore", "CKernels"]),
        tests("PawlSDFTTests", ["PawlSDFT", "PawlModel", "PawlCore", "CKernels"]),
        tests("PawlStoreTests", ["PawlStore", "PawlCore"]),
        tests("PawlRegistryTests", ["PawlRegistry", "PawlStore", "PawlCore"]),
        tests("PawlGateTests", ["PawlGate", "PawlCore"]),
        tests("PawlEnginesTests", ["PawlEngines", "PawlCore"]),
        tests(
            "PawlWorkflowTests",
            [
                "PawlWorkflow", "PawlRegistry", "PawlStore", "PawlGate", "PawlEngines", "PawlModel",
                "PawlCore",
            ]),
        tests(
            "PawlServerTests",
            [
                "PawlServer", "PawlRegistry", "PawlStore", "PawlGate", "PawlWorkflow", "PawlEngines",
                "PawlModel",
                "PawlCore",
            ]),
        tests("PawlCommandsTests", ["PawlCommands", "PawlWorkflow", "PawlCore"]),
    ]
)
