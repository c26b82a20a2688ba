import Testing

@testable import Scaffold

@Suite struct ScaffoldNameTests {
  @Test(arguments: [
    ("a", "AProvider", "A"), ("parrot", "ParrotProvider", "Parrot"), ("my-own-2", "MyOwn2Provider", "My own 2"),
    ("x9", "X9Provider", "X9"), ("provider", "ProviderProvider", "Provider"),
  ])
  func `a name gives an id, a module and a title`(name: String, module: String, title: String) throws {
    let made = try ScaffoldName(name)
    #expect(made.id == name)
    #expect(made.module == module)
    #expect(made.title == title)
  }

  @Test(arguments: [
    "-a", "a-", "a--b", "9a", "A", "aB", "a_b", "a b", "a/b", "../a", ".", "a.b", "é", "a\n", "a\u{0}", "--help",
  ])
  func `what cannot be a provider's id is refused with the rule`(name: String) {
    let error = #expect(throws: ScaffoldError.self) { try ScaffoldName(name) }
    #expect(error?.description.contains("my-provider") ?? false)
  }

  @Test func `a name has 1 to 64 characters`() throws {
    #expect(throws: ScaffoldError("the name has 0 bytes, expected 1 to 64")) { try ScaffoldName("") }
    for count in [63, 64] { _ = try ScaffoldName(String(repeating: "a", count: count)) }
    #expect(throws: ScaffoldError("the name has 65 bytes, expected 1 to 64")) {
      try ScaffoldName(String(repeating: "a", count: 65))
    }
  }

  @Test(arguments: ScaffoldName.taken)
  func `a name that Patchbay has itself is refused`(name: String) {
    #expect(throws: ScaffoldError("\"\(name)\" is taken by Patchbay itself; choose another name")) {
      try ScaffoldName(name)
    }
  }
}
