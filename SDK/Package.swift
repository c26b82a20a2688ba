// swift-tools-version: 6.3
import PackageDescription

// What a provider in Swift is built against, as `make install` lays it out: the modules of Patchbay that a plugin links,
// and the mock host of its tests. Nothing here is fetched.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

func library(_ name: String, dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
  name: "patchbay",
  products: [
    .library(name: "ProviderAPI", targets: ["ProviderAPI", "OpenAIWire"]),
    .library(name: "ProviderTesting", targets: ["ProviderTesting", "ProviderContract"]),
  ],
  targets: [
    .target(name: "CProviderABI", exclude: ["provider_abi.lock"]),
    library("Bytes"),
    library("JSON", dependencies: ["Bytes"]),
    library("ProviderAPI", dependencies: ["CProviderABI", "JSON", "Bytes"]),
    library("OpenAIWire", dependencies: ["ProviderAPI", "JSON", "Bytes"]),
    library("SystemLibraries"),
    library("Wire", dependencies: ["SystemLibraries", "Bytes"]),
    library("ProviderContract", dependencies: ["CProviderABI", "Bytes"]),
    library("ProviderTesting", dependencies: ["ProviderContract", "Wire", "JSON", "Bytes", "CProviderABI"]),
  ],
  swiftLanguageModes: [.v6]
)
