// swift-tools-version: 6.3
import PackageDescription

// Every module: warnings are errors, imports stay internal unless said, nothing reaches through an undeclared import.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // An async function stays on its caller's executor: the SDK's small ones would each switch twice.
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
  // Tests and debug builds check each access; a release trusts what they found (a tenth of a call's instructions).
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

// A plugin carries its own Swift runtime and exports one symbol (docs/decisions/0002-private-runtime.md).
let pluginLinkerSettings: [LinkerSetting] = [
  .unsafeFlags([
    "-static-stdlib",
    "-Xlinker", "--version-script=\(Context.packageDirectory)/Plugins/exports.map",
    "-Xlinker", "-z", "-Xlinker", "nodelete",
    "-Xlinker", "--gc-sections",
    "-Xlinker", "-s",
  ])
]

func library(
  _ name: String, dependencies: [Target.Dependency] = [], path: String? = nil, exclude: [String] = []
) -> Target {
  .target(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: settings)
}

func tests(of name: String, dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies, exclude: exclude,
    swiftSettings: settings)
}

/// A provider plugin: its logic, tested directly, and its entry, which only the shared library contains.
func plugin(_ name: String, dependencies: [Target.Dependency]) -> [Target] {
  [
    library(name, dependencies: dependencies, path: "Plugins/\(name)/\(name)"),
    .target(
      name: "\(name)Entry", dependencies: [.target(name: name), "ProviderAPI", "CProviderABI"],
      path: "Plugins/\(name)/\(name)Entry", swiftSettings: settings, linkerSettings: pluginLinkerSettings),
  ]
}

let package = Package(
  name: "patchbay",
  products: [
    .executable(name: "patchbay", targets: ["patchbay"]),
    .library(name: "ProviderAPI", targets: ["ProviderAPI", "OpenAIWire"]),
    .library(name: "ProviderTesting", targets: ["ProviderTesting", "ProviderContract"]),
    .library(name: "echo", type: .dynamic, targets: ["EchoEntry"]),
    .library(name: "openai-compatible", type: .dynamic, targets: ["OpenAICompatibleEntry"]),
    .library(name: "kimi", type: .dynamic, targets: ["KimiEntry"]),
    .library(name: "glm", type: .dynamic, targets: ["GLMEntry"]),
  ],
  targets: [
    .target(name: "CProviderABI", exclude: ["provider_abi.lock"]),
    .target(name: "CLinux"),
    library("Bytes"),
    // Opening libraries of the system at run time, for whoever uses one: nothing is linked that a machine may lack.
    library("SystemLibraries"),
    library("JSON", dependencies: ["Bytes"]),
    library("Wire", dependencies: ["SystemLibraries", "Bytes"]),
    // The rules of the ABI, for whoever is a host: the daemon, the mock host, the validator.
    library("ProviderContract", dependencies: ["CProviderABI", "Bytes"]),
    library("ProviderAPI", dependencies: ["CProviderABI", "JSON", "Bytes"]),
    library("ProviderTesting", dependencies: ["ProviderContract", "Wire", "JSON", "Bytes", "CProviderABI"]),
    library("OpenAIWire", dependencies: ["ProviderAPI", "JSON", "Bytes"]),
    library("LoadTest", dependencies: ["JSON", "Bytes"]),
    library("Scaffold"),
    library("Decisions"),
    library(
      "Host",
      dependencies: [
        "Decisions", "ProviderContract", "Wire", "JSON", "Bytes", "SystemLibraries", "CProviderABI", "CLinux",
      ],
      // The page's files reach the module as PageAssets.swift: `make page`.
      exclude: ["Faces/Page/assets", "Faces/Page/embed.py"]),
    library(
      "ProviderValidator",
      dependencies: ["Host", "ProviderTesting", "ProviderContract", "JSON", "Bytes", "CProviderABI", "CLinux"]),
    .executableTarget(
      name: "patchbay",
      dependencies: [
        "Host", "ProviderValidator", "Decisions", "LoadTest", "Scaffold", "Wire", "JSON", "Bytes", "CLinux",
      ],
      swiftSettings: settings),
    // The decision core in a simulated world: `make simulate`.
    .executableTarget(
      name: "simulate", dependencies: ["Decisions"], path: "Tests/Simulation", exclude: ["mutants.py"],
      swiftSettings: settings),
    // The host's WebSocket with an echo behind it: `make conformance`.
    .executableTarget(
      name: "websocket-echo", dependencies: ["Host", "Wire", "Bytes"], path: "Tests/Conformance/EchoServer",
      swiftSettings: settings),
    tests(of: "Bytes"),
    tests(of: "JSON", dependencies: ["Bytes"]),
    tests(of: "SystemLibraries"),
    tests(of: "Wire", dependencies: ["SystemLibraries", "Bytes"]),
    tests(of: "LoadTest", dependencies: ["JSON", "Bytes"]),
    tests(of: "ProviderContract", dependencies: ["CProviderABI"]),
    tests(of: "CProviderABI", dependencies: ["ProviderTesting"]),
    tests(
      of: "ProviderTesting",
      dependencies: ["ProviderContract", "OpenAICompatible", "ProviderAPI", "CProviderABI", "JSON", "Bytes"]),
    tests(of: "ProviderAPI", dependencies: ["ProviderTesting", "CProviderABI", "JSON", "Bytes"]),
    tests(of: "OpenAIWire", dependencies: ["ProviderTesting", "CProviderABI", "ProviderAPI", "JSON", "Bytes"]),
    tests(of: "Echo", dependencies: ["ProviderTesting", "ProviderAPI", "CProviderABI", "JSON", "Bytes"]),
    tests(
      of: "OpenAICompatible",
      dependencies: ["ProviderTesting", "CProviderABI", "OpenAIWire", "ProviderAPI", "JSON", "Bytes"]),
    tests(of: "Kimi", dependencies: ["ProviderTesting", "CProviderABI", "OpenAIWire", "ProviderAPI", "JSON", "Bytes"]),
    tests(of: "GLM", dependencies: ["ProviderTesting", "CProviderABI", "OpenAIWire", "ProviderAPI", "JSON", "Bytes"]),
    // Fixtures: plugins in C, which the tests compile as a stranger would.
    tests(
      of: "Host",
      dependencies: [
        "Decisions", "ProviderContract", "Wire", "JSON", "Bytes", "SystemLibraries", "CProviderABI", "CLinux",
      ],
      exclude: ["Fixtures"]),
    tests(of: "Decisions"),
    tests(of: "Scaffold"),
    // Fixtures: deliberately broken plugins in C, one per check.
    tests(of: "ProviderValidator", dependencies: ["ProviderContract", "JSON"], exclude: ["Fixtures"]),
  ]
    + plugin("Echo", dependencies: ["ProviderAPI", "JSON", "Bytes"])
    + plugin("OpenAICompatible", dependencies: ["OpenAIWire", "ProviderAPI", "JSON", "Bytes"])
    + plugin("Kimi", dependencies: ["OpenAIWire", "ProviderAPI", "JSON", "Bytes"])
    + plugin("GLM", dependencies: ["OpenAIWire", "ProviderAPI", "JSON", "Bytes"]),
  swiftLanguageModes: [.v6]
)
