import CProviderABI
import Glibc
import OpenAICompatible
import ProviderAPI
import ProviderTesting
import Testing

/// How an author tests a provider: its own entry, a scripted upstream, and what the call said in the end.
@Suite struct ScriptedChatTests {
  private static let plugin = PluginDescriptor(
    id: "org.patchbay.openai-compatible", name: "OpenAI-compatible", vendor: "Patchbay", version: "1.0.0",
    description: "For tests.", providers: [OpenAICompatible.self])
  private static let recording = #"""
    # Asks for the models, then chats.
    > GET /models
    < 200
    < Content-Type: application/json
    | {"data":[{"id":"tiny"}]}
    > POST /chat/completions
    < 200
    < Content-Type: text/event-stream
    | data: {"choices":[{"index":0,"delta":{"content":"Grüße, "}}],"model":"tiny"}
    |
    ! wait 250
    | data: {"choices":[{"index":0,"delta":{"content":"Welt €😀"}}]}
    |
    | data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}
    |
    | data: [DONE]
    |
    """#

  private func instance(on host: MockHost) throws -> MockInstance {
    try host.makeInstance(
      { PluginEntry.answer($0, $1, plugin: Self.plugin) }, provider: "openai-compatible",
      settings: #"{"base_url":"https://up.example/v1","has_key":true}"#)
  }

  private func chat(seed: UInt64?, _ change: (UpstreamAnswer) -> UpstreamAnswer = { $0 }) throws -> (MockHost, MockCall)
  {
    let host = MockHost(seed: seed)
    var recording = try RecordedExchange.parse(Self.recording)
    recording[1].answer = change(recording[1].answer)
    host.upstream = MockUpstream(recording)
    let instance = try instance(on: host)
    let call = try instance.chat("hello", model: "tiny")
    #expect(host.finish(call), "the call did not end; \(host.trail.entries)")
    instance.destroy()
    return (host, call)
  }

  @Test func `a recorded chat is answered, and nothing of the contract broken`() throws {
    let (host, call) = try chat(seed: nil)
    #expect(call.text == "Grüße, Welt €😀")
    #expect(call.finishReason == "stop" && call.status == PRV_OK)
    #expect(call.events.contains { $0.usage.prefix(2) == [3, 4] })
    #expect(host.violations == [])
    #expect(host.exchanges[0].url == "https://up.example/v1/chat/completions")
    #expect(host.nowNanoseconds == 1_250_000_000)
  }

  @Test(arguments: 1...7)
  func `however the bytes arrive the answer is the same`(bytes: Int) throws {
    let (host, call) = try chat(seed: nil) { $0.split(every: bytes) }
    #expect(call.text == "Grüße, Welt €😀")
    #expect(host.violations == [])
  }

  @Test func `an answer that is cut or reset anywhere before its end is never whole`() throws {
    let whole = try RecordedExchange.parse(Self.recording)[1].answer.body
    let finish = String(decoding: whole, as: UTF8.self).split(separator: "\n\n").prefix(3).joined(separator: "\n\n")
      .utf8.count
    for offset in stride(from: 0, through: finish, by: 7) {
      let (_, cut) = try chat(seed: nil) { $0.cut(at: offset) }
      let (_, reset) = try chat(seed: nil) { $0.reset(at: offset) }
      #expect(cut.finishReason == nil && cut.status == PRV_E_NETWORK)
      #expect(reset.finishReason == nil && reset.status == PRV_E_NETWORK)
    }
  }

  @Test func `the same seed runs the same way, on changing threads`() throws {
    func run(_ seed: UInt64) throws -> (String, Int) {
      let (host, call) = try chat(seed: seed) { $0.split(every: 5) }
      #expect(call.text == "Grüße, Welt €😀")
      #expect(host.violations == [])
      let entries = host.trail.entries
      return (
        entries.map { "\($0.nanoseconds) \($0.function)" }.joined(separator: ","), Set(entries.map(\.thread)).count
      )
    }
    let first = try run(11)
    let again = try run(11)
    let other = try run(12)
    #expect(first.0 == again.0)
    #expect(first.0 != other.0)
    #expect(first.1 > 1)
  }

  @Test func `a slow consumer stops the upstream, and gets all in the end`() throws {
    let host = MockHost()
    host.upstream = MockUpstream(try RecordedExchange.parse(Self.recording))
    let instance = try instance(on: host)
    let call = try instance.chat("hello", model: "tiny", answering: [PRV_OK, PRV_PAUSE])
    host.run { call.isPaused }
    host.advance(nanoseconds: 10_000_000_000)
    #expect(call.isPaused && call.events.count == 2)
    instance.resume(call)
    #expect(host.finish(call))
    #expect(call.text == "Grüße, Welt €😀")
    #expect(call.eventsWhilePaused == 0)
  }

  @Test func `a stream in which only heartbeats come ends at the deadline of its call`() throws {
    let host = MockHost()
    host.upstream = MockUpstream(chat: .heartbeats(5))
    let instance = try instance(on: host)
    let call = try instance.open(PRV_CALL_CHAT, body: #"{"messages":[]}"#, model: "tiny", seconds: 30)
    #expect(host.finish(call))
    #expect(call.status == PRV_CANCELLED && call.text.isEmpty)
    #expect(host.nowNanoseconds == 31_000_000_000)
    #expect(host.violations == [])
  }

  @Test func `a stream that was recorded off the wire is answered`() throws {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    let file = try #require(fopen(root + "/Tests/EndToEndTests/recordings/openai-format.sse", "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
    let host = MockHost(seed: 5)
    host.upstream = MockUpstream([RecordedExchange(stream: bytes)])
    let instance = try instance(on: host)
    let call = try instance.chat("hello", model: "tiny")
    #expect(host.finish(call))
    #expect(!call.text.isEmpty && call.finishReason != nil && call.status == PRV_OK)
    #expect(host.violations == [])
  }

  @Test func `a request that no route fits is told`() throws {
    let host = MockHost()
    let upstream = MockUpstream()
    host.upstream = upstream
    let instance = try instance(on: host)
    let call = try instance.chat("hello", model: "tiny")
    #expect(host.finish(call))
    #expect(upstream.unexpected == ["POST https://up.example/v1/chat/completions"])
    #expect(call.status != PRV_OK)
  }

  @Test func `an origin that is not allowed is refused`() throws {
    let host = MockHost()
    host.allowedOrigins = ["https://elsewhere.example"]
    let instance = try instance(on: host)
    let call = try instance.chat("hello", model: "tiny")
    #expect(host.finish(call))
    #expect(call.status == PRV_E_PERMISSION)
    #expect(host.refusedRequests.count == 1)
  }
}
