import Glibc
import Testing

@testable import Host

/// The list of plugin files of which no worker is started.
@Suite struct QuarantineTests {
  private let state: TemporaryDirectory
  private let quarantine: Quarantine

  init() throws {
    state = try TemporaryDirectory()
    quarantine = Quarantine(stateDirectory: state.path)
  }

  private func plugin(_ digit: String) -> FoundPlugin {
    FoundPlugin(
      path: "/plugins/\(digit).so", copyPath: "", sha256: String(repeating: digit, count: 64),
      description: PluginDescription())
  }

  @Test func `without a file nothing is in quarantine`() throws {
    #expect(try quarantine.entries().isEmpty)
  }

  @Test func `a file is kept by its content, with the reason, once`() throws {
    try quarantine.add(plugin("a"), "first")
    try quarantine.add(plugin("b"), "other")
    try quarantine.add(plugin("a"), "again")
    #expect(try quarantine.entries().map(\.reason) == ["other", "again"])
    let entry = try #require(try quarantine.entry(of: String(repeating: "a", count: 64)))
    #expect(entry.path == "/plugins/a.so" && entry.since > 1_600_000_000)
    #expect(try quarantine.entry(of: String(repeating: "c", count: 64)) == nil)
    var status = stat()
    #expect(stat(state.path + "/quarantine.json", &status) == 0 && status.st_mode & 0o777 == 0o600)
  }

  @Test func `a file is let go by its path or its content`() throws {
    for digit in ["a", "b", "c"] { try quarantine.add(plugin(digit), "") }
    #expect(try quarantine.remove("/plugins/a.so").map(\.path) == ["/plugins/a.so"])
    #expect(try quarantine.remove(String(repeating: "B", count: 64)).map(\.path) == ["/plugins/b.so"])
    #expect(try quarantine.remove("/plugins/a.so").isEmpty)
    #expect(try quarantine.entries().map(\.path) == ["/plugins/c.so"])
  }

  @Test func `what this program did not write is refused, not overwritten`() throws {
    _ = try state.write(Array("no JSON".utf8), to: "quarantine.json")
    let fault = #expect(throws: PluginFault.self) { _ = try quarantine.entries() }
    #expect(fault?.reason.hasSuffix("is not what this program wrote") == true)
    #expect(throws: PluginFault.self) { try quarantine.add(plugin("a"), "") }
    #expect(try state.read("quarantine.json") == Array("no JSON".utf8))
  }

  @Test func `only hashes of SHA256SUMS are trusted`() {
    let hash = String(repeating: "0f", count: 32)
    let text = "\(hash)  plugins/a.so\n\(hash)0  long\nshort  x\n\(hash.uppercased())  y\n\n"
    #expect(PluginTrust.hashes(in: text) == [hash])
    #expect(PluginTrust.shipped([hash]).trusts(hash))
    #expect(!PluginTrust.shipped([hash]).trusts("0"))
  }
}
