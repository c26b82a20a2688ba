import Bytes
import Decisions
import Testing
import Wire

@testable import Host

/// A request as short as it may be.
private func request(
  _ path: String, method: String = "GET", version: String = "1.1", _ headers: String = "", body: String = ""
) -> String {
  "\(method) \(path) HTTP/\(version)\r\nHost: a\r\n\(headers)\r\n\(body)"
}

private func answer(
  _ body: String, _ status: String = "200 OK", type: String = "text/plain", connection: String = "", length: Int? = nil
) -> String {
  let length = length ?? body.utf8.count
  let kind = length == 0 ? "" : "Content-Type: \(type)\r\n"
  return "HTTP/1.1 \(status)\r\n\(kind)Content-Length: \(length)\r\n\(connection)\r\n\(body)"
}

private func refusal(_ status: String, _ message: String) -> String {
  let code = status.prefix(3)
  let body = "{\"error\":{\"status\":\(code),\"message\":\"\(message)\"}}\n"
  return answer(body, status, type: "application/json", connection: "Connection: close\r\n")
}

private let chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"

struct HTTPFrontTests {
  @Test func `requests on one connection are answered in their order, also when they come together`() throws {
    let bench = try HTTPFrontBench()
    #expect(bench.ask(request("/reply")) == answer("replied"))
    let posts = (1...5).map { request("/echo", method: "POST", "Content-Length: 2\r\n", body: "n\($0)") }.joined()
    #expect(bench.ask(posts) == (1...5).map { answer("n\($0)") }.joined())
    #expect(bench.connection.isOpen)
  }

  @Test(
    arguments: [
      ("1.1", "", ""), ("1.1", "Connection: close\r\n", "Connection: close\r\n"),
      ("1.1", "Connection: TE, Close\r\n", "Connection: close\r\n"), ("1.0", "", "Connection: close\r\n"),
      ("1.0", "Connection: Keep-Alive\r\n", "Connection: keep-alive\r\n"),
      ("1.0", "Connection: keep-alive, close\r\n", "Connection: close\r\n"),
    ])
  func `a connection stays or ends as the client says`(version: String, headers: String, said: String) throws {
    let bench = try HTTPFrontBench()
    bench.send(request("/reply", version: version, headers) + request("/echo"))
    let (text, hasEnded) = bench.received()
    #expect(hasEnded == said.contains("close"))
    let first = answer("replied", connection: said)
    #expect(text == first + (hasEnded ? "" : answer("")))
    #expect(bench.responder.words.contains("GET /echo") == !hasEnded, "what follows a close is not a request")
  }

  // Every way a body comes and goes, in one row, cut at every byte.
  private static let row: [(String, String)] = [
    ("\r\n" + request("/echo?x=1", "X-Request-Id: abc\r\n"), answer("")),
    (request("/echo", method: "POST", "Content-Length: 5\r\n", body: "hello"), answer("hello")),
    (
      request(
        "/echo", method: "POST", "Transfer-Encoding: Chunked\r\n",
        body: "5;a=\"b\"\r\nhello\r\n00A\r\n, chunked!\r\n0\r\nX: trailer\r\nContent-Length: 9\r\n\r\n"),
      answer("hello, chunked!")
    ),
    (request("/reply", method: "PUT", "Content-Length: 3\r\n", body: "GET"), answer("replied")),
    (
      request("/reply", method: "PUT", "Transfer-Encoding: chunked\r\n", body: "1\r\nx\r\n0\r\n\r\n"), answer("replied")
    ),
    (request("/early", method: "POST", "Content-Length: 4\r\n", body: "late"), answer("early", length: 5)),
    (request("/reply", method: "HEAD"), answer("", length: 7)),
    (request("http://a/echo", method: "POST", "content-length: 0001\r\n", body: "!"), answer("!")),
  ]

  @Test func `a row of requests is answered the same, wherever it is cut`() throws {
    let sent = Self.row.map(\.0).joined()
    let expected = Self.row.map(\.1).joined()
    let bench = try HTTPFrontBench()
    #expect(bench.ask(sent) == expected)
    var one = ""
    for byte in sent.utf8 { one += bench.ask(String(decoding: [byte], as: UTF8.self)) }
    #expect(one == expected)
    for cut in 1..<sent.utf8.count {
      let place = sent.utf8.index(sent.startIndex, offsetBy: cut)
      // 1,000 requests are the most that one connection has.
      let bench = try HTTPFrontBench()
      let halves = bench.ask(String(sent[..<place])) + bench.ask(String(sent[place...]))
      #expect(halves == expected, "cut at \(cut)")
    }
  }

  @Test func `an answer of unknown length goes in chunks, and to HTTP 1.0 until the end`() throws {
    let bench = try HTTPFrontBench()
    let chunked = "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(bench.ask(chunked) == chunkedHead)
    #expect(bench.ask("3\r\none\r\n") == "3\r\none\r\n")
    #expect(bench.ask("10\r\n0123456789abcdef\r\n0\r\n\r\n") == "10\r\n0123456789abcdef\r\n0\r\n\r\n")
    #expect(bench.ask(request("/stream", method: "HEAD")) == chunkedHead)
    #expect(bench.ask(request("/reply")) == answer("replied"))
    let old = try HTTPFrontBench()
    old.send(
      request("/stream", method: "POST", version: "1.0", "Connection: keep-alive\r\nContent-Length: 3\r\n", body: "old")
    )
    let (text, hasEnded) = old.received()
    #expect(text == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nold" && hasEnded)
  }

  @Test func `while an answer is made the next request is not read, and a bounded number of bytes`() throws {
    let bench = try HTTPFrontBench()
    bench.send(request("/later") + request("/reply"))
    #expect(bench.responder.words == ["GET /later", "end"])
    #expect(bench.received().text == "")
    bench.host.run { [responder = bench.responder] in
      responder.handlers[0].answer?.send(HTTPReply(status: 200, contentType: "text/plain", body: "now"))
    }
    #expect(bench.received().text == answer("now") + answer("replied"))
    // 64 KiB are held, then the socket's own room, then the client waits.
    bench.send(request("/later"))
    let many = String(repeating: request("/reply"), count: 20)
    for _ in 0..<1_000 { bench.sendSome(many) }
    #expect(bench.connection.unreadBytes <= 128 << 10)
    bench.host.run { [responder = bench.responder] in
      responder.handlers[1].answer?.send(HTTPReply(status: 200, contentType: "text/plain", body: "now"))
    }
    #expect(bench.received().text.hasPrefix(answer("now") + answer("replied") + answer("replied")))
  }

  @Test func `a client that asks and does not read has one answer at a time waiting for it`() throws {
    let bench = try HTTPFrontBench()
    bench.send(String(repeating: request("/big"), count: 20))
    #expect((1...EchoResponder.bigBytes + 1_000).contains(bench.connection.outbound.count))
    // The socket holds one more, or two.
    #expect(bench.responder.words.count < 5)
    let all = bench.received().text
    #expect(all.utf8.count > 20 * EchoResponder.bigBytes && bench.responder.words.count == 20)
  }

  // MARK: - Bodies that are not as they should be

  @Test(arguments: [65_535, 65_536, 65_537])
  func `a body that nobody reads is dropped up to 64 KiB, else the connection ends`(size: Int) throws {
    let goesOn = size <= 65_536
    for isChunked in [false, true] {
      let bench = try HTTPFrontBench()
      let body = String(repeating: "x", count: size)
      bench.send(
        isChunked
          ? request(
            "/reply", method: "POST", "Transfer-Encoding: chunked\r\n",
            body: "\(String(size, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
          : request("/reply", method: "POST", "Content-Length: \(size)\r\n", body: body))
      bench.send(request("/echo"))
      let (text, hasEnded) = bench.received()
      // How long a chunked body is, nobody can say before the answer.
      let said = goesOn || isChunked ? "" : "Connection: close\r\n"
      #expect(text == answer("replied", connection: said) + (goesOn ? answer("") : ""))
      #expect(hasEnded == !goesOn)
    }
  }

  @Test(arguments: [199_999, 200_000, 200_001])
  func `a body that is too long is refused with 413, before it comes if its length is known`(size: Int) throws {
    let bench = try HTTPFrontBench()
    let body = String(repeating: "y", count: size)
    let refused = refusal("413 Content Too Large", "the body has more than 200000 bytes")
    bench.send(request("/echo", method: "POST", "Content-Length: \(size)\r\n"))
    let early = bench.received().text
    #expect(early == (size > 200_000 ? refused : ""))
    let chunked = try HTTPFrontBench()
    chunked.send(
      request(
        "/echo", method: "POST", "Transfer-Encoding: chunked\r\n", body: "1\r\ny\r\n\(String(size - 1, radix: 16))\r\n")
    )
    #expect(chunked.received().text == (size > 200_000 ? refused : ""))
    #expect(chunked.responder.words.last == (size > 200_000 ? "left" : "POST /echo"))
    chunked.send(String(body.dropFirst()) + "\r\n0\r\n\r\n")
    #expect(chunked.received().text == (size > 200_000 ? "" : answer(body)))
  }

  @Test func `a broken body ends the connection: with 400, or by cutting the answer off that was begun`() throws {
    let broken = "3\r\nab\r\n\r\nGET /reply HTTP/1.1\r\nHost: a\r\n\r\n"
    let post = { (path: String) in request(path, method: "POST", "Transfer-Encoding: chunked\r\n", body: broken) }
    for (path, expected) in [
      ("/echo", refusal("400 Bad Request", "a chunk is longer than its size")),
      ("/stream", chunkedHead + "3\r\nab\r\r\n"),
      ("/reply", answer("replied")), ("/early", answer("early")),
    ] {
      let bench = try HTTPFrontBench()
      bench.send(post(path))
      let (text, hasEnded) = bench.received()
      #expect(text == expected && hasEnded, "\(path)")
      #expect(bench.responder.words.filter { $0.contains("GET") } == [], "\(path)")
      #expect(bench.responder.words.contains("left") == ["/echo", "/stream"].contains(path))
    }
  }

  // MARK: - Expect

  @Test func `a client that waits for 100 gets it when its body will be read`() throws {
    let bench = try HTTPFrontBench()
    let head = request("/echo", method: "POST", "Expect: 100-Continue\r\nContent-Length: 4\r\n")
    #expect(bench.ask(head) == "HTTP/1.1 100 Continue\r\n\r\n")
    #expect(bench.ask("body") == answer("body"))
    // It came along: nothing to wait for.
    #expect(bench.ask(head + "body") == answer("body"))
    #expect(bench.ask(request("/echo", "Expect: 100-continue\r\n")) == answer(""))
    #expect(
      bench.ask(request("/echo", version: "1.0", "Connection: keep-alive\r\nExpect: 100-continue\r\n"))
        == answer("", connection: "Connection: keep-alive\r\n"))
  }

  @Test func `it gets the last word without a 100 when nobody reads its body, and the connection ends`() throws {
    for path in ["/reply", "/early"] {
      let bench = try HTTPFrontBench()
      bench.send(request(path, method: "POST", "Expect: 100-continue\r\nContent-Length: 3\r\n"))
      let (text, hasEnded) = bench.received()
      let body = path == "/reply" ? "replied" : "early"
      #expect(text == answer(body, connection: "Connection: close\r\n") && hasEnded, "\(path)")
    }
    let other = try HTTPFrontBench()
    other.send(request("/echo", "Expect: 200-ok\r\n"))
    #expect(
      other.received().text == refusal("417 Expectation Failed", "the only expectation that is met is 100-continue"))
  }

  // MARK: - Ends

  @Test func `the thousandth request of a connection is its last`() throws {
    let bench = try HTTPFrontBench()
    for _ in 1...999 { #expect(bench.ask(request("/reply")) == answer("replied")) }
    bench.send(request("/reply") + request("/reply"))
    let (text, hasEnded) = bench.received()
    #expect(text == answer("replied", connection: "Connection: close\r\n") && hasEnded)
  }

  @Test func `a refused request ends the connection`() throws {
    let bench = try HTTPFrontBench()
    bench.send(request("/refuse") + request("/reply"))
    let (text, hasEnded) = bench.received()
    #expect(text == refusal("403 Forbidden", "no") && hasEnded)
  }

  @Test func `bytes behind an upgrade are the next protocol's`() throws {
    let bench = try HTTPFrontBench()
    #expect(
      bench.ask(request("/reply") + request("/upgrade") + "raw") == answer("replied")
        + "HTTP/1.1 101 Switching Protocols\r\n\r\nraw")
    #expect(bench.ask("GET / HTTP/1.1\r\n\r\n") == "GET / HTTP/1.1\r\n\r\n")
  }

  @Test func `a handler hears that its client left, once`() throws {
    let bench = try HTTPFrontBench()
    bench.send(request("/later"))
    bench.hangUp()
    #expect(bench.responder.words == ["GET /later", "end", "left"])
    #expect(bench.host.core.read(now: .now()).connections == 0)
  }

  @Test func `a stop closes idle connections, lets answers be finished, and refuses a request that was begun`() throws {
    let (idle, busy, begun) = (try HTTPFrontBench(), try HTTPFrontBench(), try HTTPFrontBench())
    #expect(idle.ask(request("/reply")) == answer("replied"))
    busy.send(request("/later"))
    begun.send("GET /")
    for bench in [idle, busy, begun] { bench.host.run { [loop = bench.host.loop] in loop.drain(isOver: false) } }
    #expect(idle.received() == ("", true))
    #expect(begun.received() == (refusal("503 Service Unavailable", "the host is shutting down"), true))
    #expect(busy.responder.words.last == "drain false")
    busy.host.run { [responder = busy.responder] in
      responder.handlers[0].answer?.send(HTTPReply(status: 200, contentType: "text/plain", body: "done"))
    }
    #expect(busy.received() == (answer("done", connection: "Connection: close\r\n"), true))
  }

  // MARK: - Time

  @Test(arguments: [
    "", "\r\n", "GET / HT", request("/echo", method: "POST", "Content-Length: 3\r\n", body: "ab"),
    request("/echo", method: "POST", "Transfer-Encoding: chunked\r\n", body: "3\r\nabc\r\n"),
  ])
  func `what is not whole in time gets 408`(sent: String) throws {
    let bench = try HTTPFrontBench { $0.timeouts.requestMilliseconds = 20 }
    bench.send(sent)
    var text = ""
    try bench.host.wait {
      text += bench.received().text
      return !bench.connection.isOpen
    }
    text += bench.received().text
    #expect(text == refusal("408 Request Timeout", "no complete HTTP request came in time"))
  }

  @Test func `a connection without a next request is closed without a word`() throws {
    let bench = try HTTPFrontBench { $0.timeouts.keepAliveMilliseconds = 20 }
    #expect(bench.ask(request("/reply")) == answer("replied"))
    try bench.host.wait { !bench.connection.isOpen }
    #expect(bench.received() == ("", true))
  }

  @Test func `a client that takes its answer slowly is idle only after it`() throws {
    let bench = try HTTPFrontBench { $0.timeouts.keepAliveMilliseconds = 20 }
    bench.send(String(repeating: request("/big"), count: 4))
    #expect(bench.connection.outbound.count > 0)
    let until = Instant.now().advanced(milliseconds: 60)
    try bench.host.wait { Instant.now() > until }
    #expect(bench.connection.isOpen)
    #expect(bench.received().text.utf8.count > 4 * EchoResponder.bigBytes)
    try bench.host.wait { !bench.connection.isOpen }
  }

  @Test func `an answer may take longer than a request`() throws {
    let bench = try HTTPFrontBench {
      $0.timeouts.requestMilliseconds = 1
      $0.timeouts.keepAliveMilliseconds = 1
    }
    bench.send(request("/later"))
    if bench.responder.words.isEmpty { return }  // The machine stood still for a millisecond: it is 408.
    let until = Instant.now().advanced(milliseconds: 20)
    try bench.host.wait { Instant.now() > until }
    #expect(bench.connection.isOpen)
  }
}

struct HTTPClocksTests {
  private static let limits = HTTPClocks.Limits(requestNanoseconds: 10_000_000_000, idleNanoseconds: 60_000_000_000)
  private func at(_ seconds: UInt64, _ nanoseconds: UInt64 = 0) -> Instant {
    Instant(nanoseconds: seconds * 1_000_000_000 + nanoseconds)
  }

  @Test func `a head has one time for all of it, from the connection on`() {
    var clocks = HTTPClocks(Self.limits, now: at(0))
    clocks.headBegan(now: at(9))
    #expect(clocks.due(now: at(9, 999_999_999)) == .wait(until: at(10)))
    #expect(clocks.due(now: at(10)) == .refuse)
  }

  @Test func `a next request has its time from its first byte on`() {
    var clocks = HTTPClocks(Self.limits, now: at(0))
    clocks.bodyBegan(now: at(1))
    clocks.bodyEnded()
    #expect(clocks.due(now: at(1_000)) == .rest)
    clocks.answered(now: at(1_000))
    #expect(clocks.due(now: at(1_059)) == .wait(until: at(1_060)))
    #expect(clocks.due(now: at(1_060)) == .close)
    clocks.headBegan(now: at(1_059))
    clocks.headBegan(now: at(1_060))
    clocks.answered(now: at(1_061))
    #expect(clocks.due(now: at(1_068)) == .wait(until: at(1_069)))
    #expect(clocks.due(now: at(1_069)) == .refuse)
  }

  @Test func `a body must come at 8 KiB a second once its first seconds are over`() {
    var clocks = HTTPClocks(Self.limits, now: at(0))
    clocks.bodyBegan(now: at(5))
    for _ in 0..<4 { clocks.bodyReceived(8_192) }
    #expect(clocks.due(now: at(18)) == .wait(until: at(19)))
    #expect(clocks.due(now: at(19)) == .refuse)
    clocks.bodyEnded()
    clocks.bodyReceived(1)
    #expect(clocks.due(now: at(19)) == .rest)
  }
}
