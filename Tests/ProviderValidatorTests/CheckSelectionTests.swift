import Testing

@testable import ProviderValidator

struct CheckSelectionTests {
  @Test(arguments: [
    ("entry-time", "entry-time", true), ("entry-time", "entry-tim", false), ("entry-time", "entry-times", false),
    ("entry-time", "entry-*", true), ("entry-time", "*", true), ("entry-time", "*time", true),
    ("entry-time", "*-*", true), ("entry-time", "e*y-t*e", true), ("entry-time", "e*z*e", false),
    ("entry-time", "entry?time", true), ("entry-time", "entry??ime", true), ("entry-time", "??????????", true),
    ("entry-time", "?????????", false), ("entry-time", "entry-time*", true), ("entry-time", "", false),
    ("aaab", "*ab", true), ("aaab", "a*ab*", true), ("aaac", "a*ab", false),
  ])
  func `a glob describes the whole id`(id: String, pattern: String, matches: Bool) {
    #expect(CheckSelection.matches(id, pattern) == matches)
  }

  @Test func `a pattern of many stars ends soon`() {
    let id = String(repeating: "a", count: 2000)
    #expect(!CheckSelection.matches(id, String(repeating: "a*", count: 1000) + "b"))
  }

  private static func taken(_ selection: CheckSelection) -> Set<String> {
    Set(CheckCatalogue.all.filter(selection.takes).map(\.id))
  }

  @Test func `exclude wins over include`() {
    let taken = Self.taken(CheckSelection(include: ["elf-*"], exclude: ["elf-relro"]))
    #expect(taken.contains("elf-arch") && !taken.contains("elf-relro") && !taken.contains("file-name"))
    #expect(Self.taken(CheckSelection(exclude: ["elf-*"])).contains("file-name"))
  }

  @Test func `a category stands for its checks`() {
    #expect(Self.taken(CheckSelection(include: ["file"])) == ["file-name", "file-permissions"])
    #expect(
      Self.taken(CheckSelection(include: ["file", "elf"], exclude: ["elf"])) == ["file-name", "file-permissions"])
    #expect(CheckSelection(include: ["file"]).strangers(to: CheckCatalogue.all) == [])
    #expect(!CheckCatalogue.all.contains { check in Check.Category.allCases.contains { $0.rawValue == check.id } })
  }

  @Test func `a pattern that matches nothing is told`() {
    let selection = CheckSelection(include: ["elf-*", "elf-arhc"], exclude: ["fiel*"])
    #expect(selection.strangers(to: CheckCatalogue.all) == ["elf-arhc", "fiel*"])
  }
}
