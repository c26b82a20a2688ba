import CProviderABI
import EchoSwiftProvider
import ProviderAPI
import ProviderTesting
import Testing

/// The provider on a host without threads, network or time.
@Suite struct EchoSwiftProviderTests {
  let host = MockHost()

  private func instance() throws -> MockInstance {
    try host.makeInstance({ PluginEntry.answer($0, $1, plugin: .plugin) }, provider: "echo-swift")
  }

  @Test func `the answer is the last user message`() throws {
    let call = try instance().chat("grüß dich")
    host.run()
    #expect(call.text == "grüß dich")
    #expect(call.finishReason == "stop")
    #expect(call.isClosed)
    #expect(host.violations.isEmpty)
  }

  @Test func `it waits while the client is slow`() throws {
    let instance = try instance()
    let call = try instance.chat("hello", answering: [PRV_PAUSE])
    host.run()
    #expect(call.finishReason == nil)
    instance.resume(call)
    host.run()
    #expect(call.finishReason == "stop")
    #expect(host.violations.isEmpty)
  }

  @Test func `a cancelled call ends once, without a finish`() throws {
    let instance = try instance()
    let call = try instance.chat("hello", answering: [PRV_PAUSE])
    instance.cancel(call)
    host.run()
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
    #expect(call.finishReason == nil)
    #expect(host.violations.isEmpty)
  }
}
