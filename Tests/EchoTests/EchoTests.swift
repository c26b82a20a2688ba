import CProviderABI
import Echo
import ProviderAPI
import ProviderTesting
import Testing

@Suite struct `The echo provider` {
  let host = MockHost()

  private func instance(_ settings: String = "{}") throws -> MockInstance {
    try host.makeInstance(
      {
        PluginEntry.answer($0, $1, plugin: PluginDescriptor(id: "t", name: "t", version: "1", providers: [Echo.self]))
      },
      provider: "echo", settings: settings)
  }

  @Test func `answers with the last user message, whole, when nothing is streamed`() throws {
    let body = """
      {"messages": [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"},
        {"role": "user", "content": "four  five\\nsix"}]}
      """
    let call = try instance().open(PRV_CALL_CHAT, body: body, model: "echo-1", streams: false)
    host.run()
    #expect(call.events.map(\.kind) == [PRV_EVENT_TEXT, PRV_EVENT_USAGE, PRV_EVENT_FINISH])
    #expect(call.text == "four  five\nsix")
    #expect(call.events[1].usage == [8, 4, 0, 0])
    #expect(call.finishReason == "stop")
    #expect(call.dones.map(\.status) == [PRV_OK])
  }

  @Test(arguments: [(1, 5), (2, 3), (4, 2), (5, 1), (6, 1)])
  func `streams pieces of chunk_characters`(characters: Int, pieces: Int) throws {
    let call = try instance("{\"chunk_characters\": \(characters)}").chat("grüß👋")
    host.run()
    #expect(call.text == "grüß👋")
    #expect(call.events.count { $0.kind == PRV_EVENT_TEXT } == pieces)
  }

  @Test func `waits delay_ms before each piece`() throws {
    let call = try instance("{\"chunk_characters\": 1, \"delay_ms\": 3}").chat("ab")
    host.advance(nanoseconds: 2_999_999)
    #expect(call.text == "")
    host.advance(nanoseconds: 1)
    #expect(call.text == "a")
    host.advance(nanoseconds: 3_000_000)
    #expect(call.text == "ab")
    #expect(call.isClosed)
  }

  @Test func `stops waiting when it is cancelled`() throws {
    let instance = try instance("{\"delay_ms\": 1000}")
    let call = try instance.chat("ab")
    instance.cancel(call)
    host.run()
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
    #expect(host.timersWaiting == 0)
  }

  @Test func `answers an empty conversation with nothing, finished`() throws {
    let call = try instance().open(PRV_CALL_CHAT, body: "{\"messages\": []}")
    host.run()
    #expect(call.events.map(\.kind) == [PRV_EVENT_USAGE, PRV_EVENT_FINISH])
  }

  @Test func `lists its model and is healthy`() throws {
    let instance = try instance()
    let models = try instance.open(PRV_CALL_MODELS)
    let health = try instance.open(PRV_CALL_HEALTH)
    host.run()
    #expect(models.events.map(\.kind) == [PRV_EVENT_MODEL, PRV_EVENT_FINISH])
    #expect(models.events[0].text.hasPrefix("{\"id\":\"echo-1\",\"aliases\":[\"echo\"]"))
    #expect(health.events.map(\.kind) == [PRV_EVENT_FINISH])
    #expect(health.dones.map(\.status) == [PRV_OK])
  }

  @Test(arguments: [
    ("{\"chunk_characters\": 0}", "chunk_characters must be a whole number from 1 to 1000000, got 0"),
    ("{\"chunk_characters\": 1000001}", "chunk_characters must be a whole number from 1 to 1000000, got 1000001"),
    ("{\"delay_ms\": -1}", "delay_ms must be a whole number from 0 to 3600000, got -1"),
    ("{\"delay_ms\": \"1\"}", "delay_ms must be a whole number from 0 to 3600000, got \"1\""),
  ])
  func `refuses a setting out of range by its name`(settings: String, message: String) {
    #expect(throws: MockFailure(status: PRV_E_INVALID_ARGUMENT, message: message)) { try instance(settings) }
  }
}
