import CProviderABI
import JSON
import ProviderAPI
import ProviderTesting
import Testing

/// Says what a call brought.
private final class Toolbox: Provider {
  static let descriptor = ProviderDescriptor(id: "tool-box", displayName: "Toolbox")
  static let tools = [
    ToolDescription(
      name: "tool_box_say", description: "Says it.", inputSchema: #"{"type":"object"}"#, isRepeatable: true,
      files: FileArgument("files", maxCount: 3, maxBytes: 9)),
    ToolDescription(name: "tool_box_rest", description: "", inputSchema: #"{"type":"object"}"#),
  ]

  init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {}

  func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    stream.finish(.stop)
  }

  func callTool(_ request: ToolRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    // What was borrowed is gone by now, had it not been copied.
    try await request.context.sleep(nanoseconds: 5)
    try await stream.text("\(request.name) \(request.text("a") ?? "-") \(request.integer("n") ?? 0)")
    for file in request.files { try await stream.text(" \(file.name)|\(file.mediaType)|\(file.content)") }
    return stream.finish(.stop)
  }
}

@Suite struct ToolTests {
  private let host = MockHost()
  private static var entry: MockHost.Entry {
    {
      PluginEntry.answer(
        $0, $1, plugin: PluginDescriptor(id: "test.toolbox", name: "t", version: "1", providers: [Toolbox.self]))
    }
  }

  private func instance() throws -> MockInstance { try host.makeInstance(Self.entry, provider: "tool-box") }

  @Test func `a plugin's table tells of its tools and their files`() throws {
    let plugin = try MockHost.handshake(Self.entry)
    func found(_ id: String) -> UnsafeRawPointer? {
      var id = id
      return id.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) {
          plugin.pointee.get_extension(plugin, prv_str(ptr: $0.baseAddress, len: UInt64($0.count)))
        }
      }
    }
    func table<Table>(_ id: String, as type: Table.Type) throws -> Table { try #require(found(id)).load(as: type) }
    let tools = try table(PRV_EXTENSION_TOOLS, as: prv_tools_v1.self)
    #expect(tools.tool_count == 2)
    #expect(tools.tool_stride == 72)
    #expect(tools.tools[0].flags == PRV_TOOL_REPEATABLE)
    #expect(tools.tools[1].flags == 0)
    let files = try table(PRV_EXTENSION_FILES, as: prv_files_v1.self)
    #expect(files.argument_count == 1)
    #expect(files.arguments[0].max_count == 3)
    #expect(files.arguments[0].max_bytes == 9)
    #expect(found("prv.telepathy/1") == nil)
  }

  @Test func `a call brings its arguments and files, copied`() throws {
    let call = try instance().callTool(
      "tool_box_say", #"{"a":"grü","n":3}"#,
      files: [MockFile("x", mediaType: "a/b", content: [1, 2]), MockFile("y", content: [])])
    host.run()
    host.advance(nanoseconds: 5)
    #expect(call.text == "tool_box_say grü 3 x|a/b|[1, 2] y||[]")
    #expect(call.finishReason == "stop")
    #expect(host.violations.isEmpty)
  }

  @Test(arguments: [
    "", "{}", #"{"name":"tool_box_say"}"#, #"{"name":1,"arguments":{}}"#, #"{"name":"a","arguments":[]}"#,
  ])
  func `a body that is no tool call is not accepted`(body: String) throws {
    let failure = #expect(throws: MockFailure.self) {
      try instance().open(PRV_CALL_TOOL, body: body, schema: "prv.tool-call/1")
    }
    #expect(failure?.status == PRV_E_INVALID_ARGUMENT)
  }

  @Test func `a provider without tools says so, and has no extension`() throws {
    let call = try Scripted.instance(on: host) { _, stream in stream.finish(.stop) }.callTool("scripted_x")
    host.run()
    #expect(call.dones.map(\.status) == [PRV_E_UNSUPPORTED])
    #expect(try MockHost.handshake(Scripted.entry).pointee.get_extension == nil)
  }
}
