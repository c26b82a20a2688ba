import ProviderContract
import Testing

@testable import ProviderValidator

struct CheckCatalogueTests {
  @Test func `ids are unique, and of lower case, digits and hyphens`() {
    let ids = CheckCatalogue.all.map(\.id)
    #expect(Set(ids).count == ids.count)
    for id in ids {
      #expect(id.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
    }
  }

  @Test func `each rule is one of the contract, or the host's`() {
    for check in CheckCatalogue.all {
      #expect(check.rule == "HOST" || Rule(rawValue: check.rule) != nil, "\(check.id)")
    }
  }

  @Test func `each stage has a gate that needs the stage before it`() throws {
    for stage in Check.Stage.allCases.dropFirst() {
      let gate = try #require(CheckCatalogue.all.first { $0.id == stage.gate })
      #expect(gate.needs.rawValue == stage.rawValue - 1)
    }
  }

  @Test func `there are at least 45`() { #expect(CheckCatalogue.all.count >= 45) }
}
