import Bytes
import Testing

@testable import Host

/// Tools and files as a plugin describes them.
@Suite struct PluginToolsTests {
  private let directory: TemporaryDirectory
  private let state: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    state = try TemporaryDirectory()
  }

  private func load(_ options: [String] = []) throws -> PluginScan {
    try PluginFixture.compile("tools", options, to: "x.so", in: directory)
    return PluginScan.run(
      directories: [directory.path], store: PluginStore(stateDirectory: state.path),
      scanner: InProcessScanner())
  }

  @Test func `a plugin's tools are read with their provider`() throws {
    let provider = try #require(
      try load(["-DTOOL_FLAGS=PRV_TOOL_REPEATABLE"]).found.first?.description.providers.first)
    let tool = try #require(provider.tools.first)
    #expect(provider.tools.count == 1)
    #expect(tool.name == "parrot_say")
    #expect(tool.summary == "Says it \"again\".")
    #expect(tool.isRepeatable)
    #expect(tool.files == FilesOffer(argument: "files", countLimit: 2, bytesLimit: 0))
  }

  @Test(arguments: [
    ("TOOL_NAME=\"say\"", "is named \"say\", expected \"parrot_\""),
    ("TOOL_NAME=\"parrot_\"", "is named \"parrot_\", expected"),
    ("TOOL_NAME=\"parrot_Say\"", "is named \"parrot_Say\", expected"),
    ("TOOL_NAME=\"chat\"", "is named \"chat\", expected"),
    ("TOOL_NAME=\"macaw_say\"", "is named \"macaw_say\", expected"),
    ("TOOL_PROVIDER=\"macaw\"", "a tool belongs to provider \"macaw\""),
    ("FILES_TOOL=\"parrot_sing\"", "prv.files/1 names the tool \"parrot_sing\""),
    ("MAX_COUNT=0", "takes 0 files, expected 1 to 64"), ("MAX_COUNT=65", "takes 65 files, expected 1 to 64"),
    ("TOOL_COUNT=2", "it has two tools named parrot_say"), ("TOOL_COUNT=65", "65 tools of prv.tools/1"),
    ("TOOL_STRIDE=8", "the stride of tools of prv.tools/1 is 8"),
  ])
  func `a table that breaks the header is refused with the field`(option: String, reason: String) throws {
    let scan = try load(["-D" + option])
    #expect(scan.found.isEmpty)
    #expect(scan.refused.first?.reason.contains(reason) ?? false, "\(scan.refused)")
  }

  @Test func `a tool's name has at most 64 bytes`() throws {
    for (count, isTaken) in [(63, true), (64, true), (65, false)] {
      let name = "parrot_" + String(repeating: "x", count: count - 7)
      #expect(try load(["-DTOOL_NAME=\"\(name)\""]).found.isEmpty != isTaken, "\(count)")
    }
  }

  @Test func `what a scanning child says of tools is read back, and held to the same rules`() throws {
    let description = try #require(try load().found.first?.description)
    func reread(_ change: (inout ToolOffer) -> Void) throws -> PluginDescription {
      var changed = description
      change(&changed.providers[0].tools[0])
      var text = ByteBuffer()
      changed.write(to: &text)
      return try ScanAnswer.read(text.readable)
    }
    #expect(try reread { _ in } == description)
    #expect(try reread { $0.files = nil }.providers[0].tools[0].files == nil)
    let breaks: [(inout ToolOffer) -> Void] = [
      { $0.name = "chat" }, { $0.files?.countLimit = 0 }, { $0.files?.countLimit = 65 }, { $0.files?.argument = "" },
      { $0.files?.bytesLimit = -1 },
    ]
    for change in breaks { #expect(throws: PluginFault.self) { try reread(change) } }
  }

  @Test func `a schema that cannot be used keeps its provider from being made`() throws {
    try PluginFixture.compile("tools", [#"-DSCHEMA="[]""#], to: "x.so", in: directory)
    let host = PluginHost(
      settings: PluginHostSettings(
        directories: [directory.path], stateDirectory: state.path,
        providers: [ProviderSettings(id: "parrot", plugin: "parrot")]),
      log: try LogReader().log, loops: [try EventLoop(index: 0)], upstream: { _ in nil })
    let refused = host.register().refusedProviders
    #expect(
      refused.first?.reason == "the input schema of its tool parrot_say cannot be used: it must be an object, got []")
  }
}
