import CProviderABI
import ProviderAPI
import ProviderTesting

@testable import Kimi

/// A Kimi instance on a host whose upstream the test plays.
struct KimiChat {
  let host = MockHost()
  let instance: MockInstance

  init(_ settings: String = #"{"has_key":true}"#) throws {
    instance = try host.makeInstance(
      {
        PluginEntry.answer(
          $0, $1, plugin: PluginDescriptor(id: "test.Kimi", name: "t", version: "1", providers: [Kimi.self]))
      },
      provider: "kimi", settings: settings)
  }

  func open(_ body: String = #"{"messages":[{"role":"user","content":"hi"}]}"#, model: String = "kimi-k2.6") throws
    -> MockCall
  {
    try instance.open(PRV_CALL_CHAT, body: body, model: model)
  }

  /// Answers the newest exchange with a stream.
  func stream(_ data: [String], isCut: Bool = false) {
    let exchange = host.exchanges[host.exchanges.count - 1]
    exchange.answer()
    for piece in data { exchange.send(event: piece) }
    if !isCut { exchange.send(event: "[DONE]") }
    exchange.complete()
    host.run()
  }

  /// Answers the newest exchange with a body.
  func answer(_ status: UInt32, _ body: String, headers: [(String, String)] = [("Content-Type", "application/json")]) {
    let exchange = host.exchanges[host.exchanges.count - 1]
    exchange.answer(status: status, headers: headers)
    exchange.send(body: body)
    exchange.complete(httpStatus: status)
    host.run()
  }
}
