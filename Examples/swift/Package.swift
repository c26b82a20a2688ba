// swift-tools-version: 6.3
import PackageDescription

let package = Package(
  name: "echo-swift",
  products: [
    .library(name: "echo-swift", type: .dynamic, targets: ["EchoSwift"])
  ],
  dependencies: [
    .package(name: "patchbay", path: "../..")
  ],
  targets: [
    .target(
      name: "EchoSwift",
      dependencies: [.product(name: "ProviderAPI", package: "patchbay")],
      // The library carries its own Swift runtime and exports one symbol (PRV-R001).
      linkerSettings: [
        .unsafeFlags([
          "-static-stdlib",
          "-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map",
          "-Xlinker", "-z", "-Xlinker", "nodelete",
        ])
      ])
  ],
  swiftLanguageModes: [.v6]
)
