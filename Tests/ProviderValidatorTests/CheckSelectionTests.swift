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

  @Test func `exclude wins over include`() {
    let selection = CheckSelection(include: ["elf-*"], exclude: ["elf-relro"])
    #expect(selection.takes("elf-arch") && !selection.takes("elf-relro") && !selection.takes("file-name"))
    #expect(CheckSelection(exclude: ["elf-*"]).takes("file-name"))
  }

  @Test func `a pattern that matches nothing is told`() {
    let selection = CheckSelection(include: ["elf-*", "elf-arhc"], exclude: ["fiel*"])
    #expect(selection.strangers(to: CheckCatalogue.all) == ["elf-arhc", "fiel*"])
  }
}
