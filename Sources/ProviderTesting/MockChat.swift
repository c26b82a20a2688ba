public import CProviderABI

/// An instance of one provider on a host of its own, whose upstream the test plays.
public struct MockChat {
  public let host = MockHost()
  public let instance: MockInstance
  private let model: String

  /// - Parameter model: what a chat asks for when the test names none.
  public init(_ entry: MockHost.Entry, provider: String, settings: String, model: String) throws {
    instance = try host.makeInstance(entry, provider: provider, settings: settings)
    self.model = model
  }

  public func open(_ body: String = #"{"messages":[{"role":"user","content":"hi"}]}"#, model: String? = nil) throws
    -> MockCall
  {
    try instance.open(PRV_CALL_CHAT, body: body, model: model ?? self.model)
  }

  /// Ends a call that a test leaves: a Swift task that waits for ever is never freed, nor what it holds.
  public func cancel(_ call: MockCall) {
    instance.cancel(call)
    host.run()
  }

  /// Answers the newest exchange with a stream; cut: it ends without `[DONE]`.
  public func stream(_ data: [String], isCut: Bool = false) {
    let exchange = host.exchanges[host.exchanges.count - 1]
    exchange.answer()
    for piece in data { exchange.send(event: piece) }
    if !isCut { exchange.send(event: "[DONE]") }
    exchange.complete()
    host.run()
  }

  /// Answers the newest exchange with a body.
  public func answer(
    _ status: UInt32, _ body: String, headers: [(String, String)] = [("Content-Type", "application/json")]
  ) {
    let exchange = host.exchanges[host.exchanges.count - 1]
    exchange.answer(status: status, headers: headers)
    exchange.send(body: body)
    exchange.complete(httpStatus: status)
    host.run()
  }
}
