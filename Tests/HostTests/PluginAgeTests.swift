import Glibc
import Testing

@testable import Host

/// Plugins that were compiled from another header than this host's, or on another day.
@Suite struct PluginAgeTests {
  @Test func `a plugin of a shorter header is loaded and answers`() throws {
    let directory = try TemporaryDirectory()
    try PluginFixture.compile("aged/older", to: "older.so", in: directory)
    let aged = try AgedPlugin(in: directory, provider: "aged")
    #expect(aged.description.abiMinor == 0)
    #expect(aged.description.providers.first?.defaultBaseURL == "")
    let call = try aged.call(.chat, body: #"{"messages":[]}"#)
    #expect(call.words == [#"text:{"messages":[]}"#, "usage:", "finish:stop"])
    #expect(call.succeeded)
  }

  @Test func `a plugin of a newer minor, with longer structs and unknown words, is loaded and answers`() throws {
    let directory = try TemporaryDirectory()
    try PluginFixture.compile("aged/newer", to: "newer.so", in: directory)
    let aged = try AgedPlugin(in: directory, provider: "aged")
    #expect(aged.description.abiMinor == 7)
    #expect(aged.description.providers.map(\.id) == ["aged", "aged-too"])
    #expect(aged.description.providers.first?.tools.map(\.name) == ["aged_one", "aged_two"])
    let call = try aged.call(.chat, body: #"{"messages":[]}"#)
    #expect(call.words == [#"text:{"messages":[]}"#, "usage:", "finish:stop"])
    #expect(call.succeeded)
    #expect(aged.provider.unknownEvents == 1)
    let tool = try aged.call(.tool, body: #"{"name":"aged_one","arguments":{}}"#)
    #expect(tool.words.first == "text:prv.tool-call/1")
  }

  #if arch(x86_64)
    /// Compiled once, at the release that their folder names (Fixtures/aged/rebuild.py).
    private static let releases = ["1.0"]

    @Test(arguments: releases)
    func `the compiled example of a release still answers`(release: String) throws {
      let aged = try AgedPlugin(kept: "\(release)/echo-c.so", provider: "echo-c")
      let call = try aged.call(.chat, body: #"{"messages":[{"role":"user","content":"gr\u00fc\u00df dich"}]}"#)
      #expect(call.words == ["text:grüß dich", "finish:stop"])
      #expect(call.succeeded)
    }

    @Test(arguments: releases)
    func `the compiled tools of a release are still called with their files`(release: String) throws {
      let aged = try AgedPlugin(kept: "\(release)/tools.so", provider: "parrot")
      #expect(aged.description.providers.first?.tools.map(\.name) == ["parrot_say"])
      let body = #"{"name":"parrot_say","arguments":{"words":"hi"}}"#
      let call = try aged.call(
        .tool, body: body,
        files: [
          ProviderFile(name: "a", mediaType: "", content: Array("one".utf8)),
          ProviderFile(name: "b", mediaType: "", content: []),
        ])
      #expect(call.words == ["text:4 \(body) a=one b=", "finish:stop"])
      #expect(call.succeeded)
    }
  #endif
}

/// A loaded plugin with one instance of one provider, on a host with one loop.
private final class AgedPlugin {
  let provider: InProcessProvider
  var description: PluginDescription { provider.plugin.description }
  private let state: TemporaryDirectory
  private let loop: EventLoop

  init(in directory: TemporaryDirectory, provider id: String) throws {
    state = try TemporaryDirectory()
    loop = try EventLoop(index: 0)
    let host = PluginHost(
      settings: PluginHostSettings(
        directories: [directory.path], stateDirectory: state.path,
        providers: [ProviderSettings(id: id, plugin: id)]),
      log: try LogReader().log, loops: [loop], upstream: { _ in nil })
    let registry = host.register()
    provider = try #require(
      registry.providers.first as? InProcessProvider, "\(registry.refused) \(registry.refusedProviders)")
    loop.start()
  }

  /// One of `Fixtures/aged`, copied to where a host takes plugins from.
  convenience init(kept name: String, provider: String) throws {
    let directory = try TemporaryDirectory()
    let source = #filePath.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/Fixtures/aged/\(name)"
    try #require(PluginFixture.run("/bin/cp", [source, directory.path + "/kept.so"]) == 0, "\(name) is missing")
    chmod(directory.path + "/kept.so", 0o755)
    try self.init(in: directory, provider: provider)
  }

  deinit {
    loop.stop()
    loop.join()
  }

  struct Call {
    var words: [String]
    var succeeded: Bool
  }

  /// Opens a call and waits for its end.
  func call(_ kind: ProviderCallKind, body: String, files: [ProviderFile] = []) throws -> Call {
    let sink = RecordingSink()
    let (provider, loop, body) = (provider, loop, Array(body.utf8))
    let isTaken = loop.submit(
      .work {
        body.withUnsafeBytes { body in
          let empty = UnsafeRawBufferPointer(start: nil, count: 0)
          let request = ProviderRequest(
            kind: kind, wantsStream: true, attempt: 1, deadline: .never, connectTimeoutNanoseconds: 0,
            requestID: empty, model: empty, bodySchema: kind == .tool ? "prv.tool-call/1" : "prv.chat/1", body: body,
            files: files)
          #expect(throws: Never.self) { try provider.open(request, sink: sink, on: loop) }
        }
      })
    #expect(isTaken)
    if case .succeeded = try sink.end() { return Call(words: sink.words, succeeded: true) }
    return Call(words: sink.words, succeeded: false)
  }
}
