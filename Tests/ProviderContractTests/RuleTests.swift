import Glibc
import Testing

@testable import ProviderContract

@Suite struct RuleTests {
  private func header() throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    let file = try #require(fopen(root + "/Sources/CProviderABI/include/provider_abi.h", "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func `every rule of the header is here, and no other`() throws {
    let lines = try header().split(separator: "\n").map { $0.drop { $0 == " " } }
    let rules = lines.compactMap { line -> String? in
      let word = line.prefix { $0 != " " }
      guard line.dropFirst(word.count).hasPrefix("  "), let first = word.first, first == "R" || first == "C",
        word.count >= 2, word.dropFirst().allSatisfy({ $0.isNumber })
      else { return nil }
      return "PRV-" + word
    }
    #expect(Set(rules) == Set(Rule.allCases.map(\.rawValue)))
    #expect(rules.count == Rule.allCases.count)
  }

  @Test func `a breach names rule, function, expected, found and what to do`() {
    let breach = Breach(.oneDone, at: .done, handle: 7, expected: "one done", found: "a second one")
    #expect(
      breach.description == "PRV-R005 at done: expected one done, found a second one; " + Rule.oneDone.remedy)
  }
}
