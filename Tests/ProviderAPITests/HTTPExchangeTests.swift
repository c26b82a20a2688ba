import CProviderABI
import ProviderAPI
import ProviderTesting
import Testing

@Suite struct `An HTTP exchange` {
  let host = MockHost()

  /// Posts, then copies every event's data to the answer until `[DONE]`.
  private func relay(limits: HTTPRequest.Limits = .init(), name: String = #function) throws -> MockInstance {
    try Scripted.instance(on: host, name: name) {
      (request: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      var exchange = try await request.context.http(
        HTTPRequest(
          method: "POST", url: "https://api.example.com/v1/chat?x=1", headers: [("content-type", "application/json")],
          body: [UInt8]("{}".utf8), auth: .apiKey(.header("x-api-key")), mode: .sse, limits: limits))
      guard exchange.isSuccess else {
        let body = String(decoding: try await exchange.collectBody(limitBytes: 10), as: UTF8.self)
        throw ProviderError(
          .upstream, body, httpStatus: exchange.status, requestID: exchange.headers["x-request-id"])
      }
      while let message = try await exchange.nextEvent() {
        if message.isData("[DONE]") { return stream.finish(.stop) }
        try await stream.text(message.data)
      }
      throw ProviderError(.badResponse, "the stream ended without its end")
    }
  }

  @Test func `sends what was asked and hands over events as they come`() throws {
    let instance = try relay()
    let call = try instance.chat("hi")
    let exchange = try #require(host.exchanges.first)
    #expect(exchange.method == "POST")
    #expect(exchange.url == "https://api.example.com/v1/chat?x=1")
    #expect(exchange.headers.map(\.name) == ["content-type"])
    #expect(exchange.headers.map(\.value) == ["application/json"])
    #expect(exchange.body == "{}")
    #expect(exchange.authReference == "api_key")
    #expect(exchange.authScheme == "header:x-api-key")
    #expect(exchange.wantsEvents)
    exchange.answer()
    host.run()
    exchange.send(event: "one ")
    host.run()
    #expect(call.text == "one ")
    exchange.send(event: "two ")
    exchange.send(event: "three")
    exchange.send(event: "[DONE]")
    host.run()
    #expect(call.text == "one two three")
    #expect(call.finishReason == "stop")
    // Its reader left before the end, so it is aborted.
    #expect(exchange.isAborted)
    #expect(exchange.isComplete)
    #expect(call.isClosed)
  }

  @Test func `that answers everything at once before it is read loses nothing`() throws {
    let call = try relay().chat("hi")
    let exchange = try #require(host.exchanges.first)
    exchange.answer()
    for number in 0..<100 { exchange.send(event: "\(number),") }
    exchange.send(event: "[DONE]")
    exchange.complete()
    host.run()
    #expect(call.text == (0..<100).map { "\($0)," }.joined())
    #expect(call.dones.map(\.status) == [PRV_OK])
    #expect(!exchange.isAborted)
  }

  @Test func `that breaks hands over what came, then throws`() throws {
    let call = try relay().chat("hi")
    let exchange = try #require(host.exchanges.first)
    exchange.answer()
    exchange.send(event: "half")
    exchange.complete(status: PRV_E_NETWORK, message: "connection reset by api.example.com:443")
    host.run()
    #expect(call.text == "half")
    #expect(call.finishReason == nil)
    #expect(call.dones.map(\.status) == [PRV_E_NETWORK])
    #expect(call.dones.map(\.message) == ["connection reset by api.example.com:443"])
  }

  @Test func `without an answer throws why`() throws {
    let call = try relay().chat("hi")
    try #require(host.exchanges.first).complete(status: PRV_E_TIMEOUT, httpStatus: 0, message: "connect took 10 s")
    host.run()
    #expect(call.dones.map(\.status) == [PRV_E_TIMEOUT])
    #expect(call.dones.map(\.httpStatus) == [0])
  }

  @Test(arguments: [10, 11])
  func `collects an error's body up to the limit`(bytes: Int) throws {
    let call = try relay(name: "collects \(bytes)").chat("hi")
    let exchange = try #require(host.exchanges.first)
    exchange.answer(status: 503, headers: [("X-Request-Id", "up-1")])
    exchange.send(body: String(repeating: "x", count: bytes - 5))
    exchange.send(body: "yyyyy")
    exchange.complete(httpStatus: 503)
    host.run()
    #expect(call.dones.map(\.status) == [bytes <= 10 ? PRV_E_UPSTREAM : PRV_E_LIMIT])
    #expect(call.dones.map(\.requestID) == [bytes <= 10 ? "up-1" : ""])
    #expect(call.dones.map(\.httpStatus) == [503])
  }

  @Test func `that is no event stream is a bad response`() throws {
    let call = try relay().chat("hi")
    let exchange = try #require(host.exchanges.first)
    exchange.answer(headers: [("content-type", "text/html")])
    exchange.send(body: "<html>")
    host.run()
    #expect(call.dones.map(\.status) == [PRV_E_BAD_RESPONSE])
    #expect(call.dones.map(\.message) == ["expected an event stream, got text/html, status 200"])
  }

  /// Twelve bytes of lengths come with each event: 12 + 14 + 12 + 6 is the limit.
  @Test(arguments: [(0, PRV_OK), (1, PRV_E_LIMIT)])
  func `nobody reads is aborted at its limit`(extra: Int, status: Int32) throws {
    let call = try relay(limits: .init(unreadBytes: 44), name: "unread \(extra)").chat("hi")
    let exchange = try #require(host.exchanges.first)
    exchange.answer()
    exchange.send(event: String(repeating: "x", count: 14 + extra), named: "")
    exchange.send(event: "[DONE]", named: "")
    #expect(exchange.isAborted == (status == PRV_E_LIMIT))
    host.run()
    #expect(call.dones.map(\.status) == [status])
  }

  @Test func `ends with its call`() throws {
    let instance = try relay()
    let call = try instance.chat("hi")
    let exchange = try #require(host.exchanges.first)
    exchange.answer()
    host.run()
    instance.cancel(call)
    host.run()
    #expect(exchange.isComplete)
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
    #expect(call.isClosed)
  }

  @Test func `waits while the client is slow`() throws {
    let instance = try relay()
    let call = try instance.chat("hi", answering: [PRV_PAUSE])
    let exchange = try #require(host.exchanges.first)
    exchange.answer()
    exchange.send(event: "a")
    exchange.send(event: "b")
    host.run()
    #expect(call.text == "a")
    instance.resume(call)
    host.run()
    #expect(call.text == "ab")
    exchange.send(event: "[DONE]")
    host.run()
    #expect(call.isClosed)
  }

  @Test func `cannot begin without the service, nor for a cancelled call`() throws {
    let poor = MockHost(missing: ["prv.http/1"])
    let instance = try Scripted.instance(on: poor) {
      (request: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      _ = try await request.context.http(HTTPRequest(method: "GET", url: "https://example.com"))
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi")
    poor.run()
    #expect(call.dones.map(\.status) == [PRV_E_UNSUPPORTED])

    let stubborn = try Scripted.instance(on: host) {
      (request: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try? await request.context.sleep(nanoseconds: 1)
      _ = try await request.context.http(HTTPRequest(method: "GET", url: "https://example.com"))
      return stream.finish(.stop)
    }
    let cancelled = try stubborn.chat("hi")
    stubborn.cancel(cancelled)
    host.run()
    #expect(cancelled.dones.map(\.status) == [PRV_CANCELLED])
    #expect(host.exchanges.isEmpty)
  }
}
