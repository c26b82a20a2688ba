import Testing

@testable import Host

/// The example that authors of C plugins copy, compiled and loaded as they would.
@Suite struct PluginExampleTests {
  @Test func `the example in C answers a chat`() throws {
    let directory = try TemporaryDirectory()
    let state = try TemporaryDirectory()
    try PluginFixture.compile(
      file: "Examples/c/echo.c", ["-std=c11", "-fvisibility=hidden"], to: "example.so", in: directory)
    let plugin = try PluginScan.look(
      at: directory.path + "/example.so", store: PluginStore(stateDirectory: state.path), scanner: InProcessScanner())
    let offered = try #require(plugin.description.providers.first)
    let loop = try EventLoop(index: 0)
    let host = PluginHost(
      settings: PluginHostSettings(
        directories: [directory.path], stateDirectory: state.path,
        providers: [ProviderSettings(id: "example", plugin: offered.id)]),
      log: try LogReader().log, loops: [loop], upstream: { _ in nil })
    let registry = host.register()
    let provider = try #require(registry.providers.first, "\(registry.refusedProviders)")
    let sink = RecordingSink()
    let body = Array(#"{"messages":[{"role":"user","content":"gr\u00fc\u00df dich"}]}"#.utf8)
    let job = {
      let empty = UnsafeRawBufferPointer(start: nil, count: 0)
      body.withUnsafeBytes { body in
        let request = ProviderRequest(
          kind: .chat, wantsStream: true, attempt: 1, deadline: .never, connectTimeoutNanoseconds: 0,
          requestID: empty, model: empty, bodySchema: "prv.chat/1", body: body)
        #expect(throws: Never.self) { try provider.open(request, sink: sink, on: loop) }
      }
    }
    loop.start()
    defer {
      loop.stop()
      loop.join()
    }
    #expect(loop.submit(.work(job)))
    guard case .succeeded = try sink.end() else {
      Issue.record("the call ended as \(sink.ends)")
      return
    }
    #expect(sink.words == ["text:grüß dich", "finish:stop"])
  }
}
