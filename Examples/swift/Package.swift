// swift-tools-version: 6.3
import PackageDescription

let package = Package(
  name: "echo-swift",
  products: [
    .library(name: "echo-swift", type: .dynamic, targets: ["EchoSwiftProviderEntry"])
  ],
  dependencies: [
    .package(name: "patchbay", path: "../..")
  ],
  targets: [
    .target(
      name: "EchoSwiftProvider",
      dependencies: [.product(name: "ProviderAPI", package: "patchbay")]),
    // What makes it a plugin. No test may depend on it: the library carries its own Swift runtime, and exports one
    // symbol (PRV-R001).
    .target(
      name: "EchoSwiftProviderEntry",
      dependencies: ["EchoSwiftProvider"],
      linkerSettings: [
        .unsafeFlags([
          "-static-stdlib",
          "-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map",
          "-Xlinker", "-z", "-Xlinker", "nodelete",
          "-Xlinker", "--gc-sections",
          "-Xlinker", "-s",
        ])
      ]),
    .testTarget(
      name: "EchoSwiftProviderTests",
      dependencies: ["EchoSwiftProvider", .product(name: "ProviderTesting", package: "patchbay")]),
  ],
  swiftLanguageModes: [.v6]
)
