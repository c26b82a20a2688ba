import Glibc
import Testing

@testable import Scaffold

@Suite struct ScaffoldTests {
  private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

  private func contents(of path: String) throws -> String {
    let file = try #require(fopen("\(Self.root)/\(path)", "r"), "\(path) cannot be read")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func text(_ path: String, of scaffold: Scaffold) throws -> String {
    try #require(scaffold.files.first { $0.path == path }, "\(scaffold.files.map(\.path))").text
  }

  @Test func `the command carries the examples and the header as they are`() throws {
    let advice: Comment = "run `make scaffold`"
    for (path, text) in ScaffoldTemplates.c { #expect(try contents(of: "Examples/c/\(path)") == text, advice) }
    for (path, text) in ScaffoldTemplates.swift { #expect(try contents(of: "Examples/swift/\(path)") == text, advice) }
    #expect(try contents(of: "Sources/CProviderABI/include/provider_abi.h") == ScaffoldTemplates.header, advice)
  }

  @Test func `a provider in C is its source, its header, a test and what builds them`() throws {
    let scaffold = Scaffold(inC: try ScaffoldName("parrot"))
    #expect(
      Set(scaffold.files.map(\.path)) == [
        "parrot.c", "provider_abi.h", "run_test.c", "Makefile", "README.md", ".gitignore",
      ])
    #expect(try text("Makefile", of: scaffold).contains("INCLUDE ?= .\n"))
    #expect(try text("parrot.c", of: scaffold).contains("PRV_LITERAL(\"com.example.parrot\")"))
  }

  @Test func `a provider in Swift is a package with its logic, its entry and a test`() throws {
    let scaffold = try Scaffold(inSwift: try ScaffoldName("gray-parrot"), sdk: "/srv/patchbay")
    #expect(
      Set(scaffold.files.map(\.path)) == [
        "Package.swift", "exports.map", "Sources/GrayParrotProvider/GrayParrotProvider.swift",
        "Sources/GrayParrotProviderEntry/Entry.swift", "Tests/GrayParrotProviderTests/GrayParrotProviderTests.swift",
        "Makefile", "README.md", ".gitignore",
      ])
    let manifest = try text("Package.swift", of: scaffold)
    #expect(manifest.contains(".package(name: \"patchbay\", path: \"/srv/patchbay\")"))
    #expect(
      manifest.contains(".library(name: \"gray-parrot\", type: .dynamic, targets: [\"GrayParrotProviderEntry\"])"))
  }

  @Test func `nothing of the example's name is left, whatever the language`() throws {
    let name = try ScaffoldName("parrot")
    for file in Scaffold(inC: name).files + (try Scaffold(inSwift: name, sdk: "/srv/patchbay")).files {
      for word in ["echo", "Echo", "../.."] where file.path != "provider_abi.h" {
        #expect(!file.path.contains(word) && !file.text.contains(word), "\(word) stands in \(file.path)")
      }
    }
  }

  @Test func `a path is written so that the manifest reads it back`() throws {
    let scaffold = try Scaffold(inSwift: try ScaffoldName("parrot"), sdk: #"/srv/a "b" \c"#)
    #expect(try text("Package.swift", of: scaffold).contains(#"path: "/srv/a \"b\" \\c""#))
  }

  @Test func `a path that no manifest can name, or that ends in the package's name, is refused`() throws {
    let name = try ScaffoldName("parrot")
    #expect(throws: ScaffoldError.self) { try Scaffold(inSwift: name, sdk: "/srv/a\nb") }
    #expect(throws: ScaffoldError.self) { try Scaffold(inSwift: name, sdk: "/srv/Parrot") }
    _ = try Scaffold(inSwift: name, sdk: "/srv/parrots")
  }
}
