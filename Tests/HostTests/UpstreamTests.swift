import CProviderABI
import Glibc
import Synchronization
import SystemLibraries
import Testing

@testable import Host

struct UpstreamTests {
  @Test func `a request arrives as it was asked for, and its answer whole`() throws {
    let server = try UpstreamServer.answering { httpAnswer($0) }
    let bench = try UpstreamBench()
    let recorder = try bench.start(
      UpstreamRequest(
        method: "POST", url: server.url + "v1/chat?x=1", headers: [("X-Trace", "t1"), ("X-Empty", "")],
        body: Array("{\"a\":1}".utf8), credential: ("Authorization", "Bearer k")))
    bench.run()
    server.stop()
    let seen = recorder.text.lowercased()
    #expect(seen.hasPrefix("post /v1/chat?x=1 http/1.1\r\n") && seen.hasSuffix("\r\n\r\n{\"a\":1}"))
    for line in ["x-trace: t1", "x-empty:", "authorization: bearer k", "content-length: 7"] {
      #expect(seen.contains("\r\n\(line)\r\n"), "\(line)")
    }
    for name in ["expect:", "content-type:", "accept-encoding:"] { #expect(!seen.contains(name)) }
    let result = try #require(recorder.result)
    #expect(result.failure == nil && !result.isCancelled && result.httpStatus == 200 && recorder.status == 200)
    #expect(result.bytesReceived == UInt64(recorder.body.count))
    #expect(result.connectNanoseconds <= result.firstByteNanoseconds)
    #expect(result.firstByteNanoseconds <= result.totalNanoseconds && result.totalNanoseconds > 0)
    #expect(recorder.connections == 1)
  }

  @Test(arguments: ["GET", "HEAD", "POST", "PUT", "DELETE"], [0, 3])
  func `each method is sent with and without a body`(method: String, bytes: Int) throws {
    if bytes > 0, method == "HEAD" { return }
    let seen = Mutex("")
    let server = try UpstreamServer.answering { request in
      seen.withLock { $0 = request }
      return method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" : httpAnswer("answered")
    }
    let bench = try UpstreamBench()
    let recorder = try bench.start(
      UpstreamRequest(method: method, url: server.url, body: [UInt8](repeating: 0x78, count: bytes)))
    bench.run()
    server.stop()
    #expect(recorder.result?.failure == nil)
    #expect(recorder.text == (method == "HEAD" ? "" : "answered"))
    let request = seen.withLock { $0 }
    #expect(request.hasPrefix("\(method) / HTTP/1.1\r\n"))
    #expect(request.hasSuffix("\r\n\r\n" + String(repeating: "x", count: bytes)))
    if bytes == 0, method == "POST" || method == "PUT" { #expect(request.contains("Content-Length: 0\r\n")) }
  }

  @Test func `an event stream yields the same events wherever it is cut`() throws {
    let stream =
      "id: 7\ndata: {\"a\":\"ü\"}\n\n: beat\r\nevent: end\r\ndata: one\r\ndata: two\r\n\r\n"
      + "data: [DONE]\n\ndata: x"
    let bytes = Array(stream.utf8)
    let cut = Atomic<Int>(0)
    let server = try UpstreamServer { connection in
      while connection.readRequest() != nil {
        let place = cut.add(1, ordering: .relaxed).oldValue
        let head = "HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\n"
        connection.send(head + "Content-Length: \(bytes.count)\r\n\r\n")
        connection.send(Array(bytes[..<place]))
        connection.send(Array(bytes[place...]))
      }
    }
    let bench = try UpstreamBench()
    var recorders: [ExchangeRecorder] = []
    func next() {
      let recorder = ExchangeRecorder()
      recorder.onComplete = { if recorders.count <= bytes.count { next() } }
      recorders.append(recorder)
      do {
        try bench.start(UpstreamRequest(method: "POST", url: server.url, mode: .serverSentEvents), recorder)
      } catch {
        Issue.record(error)
      }
    }
    next()
    bench.run()
    server.stop()
    #expect(recorders.count == bytes.count + 1)
    for recorder in recorders {
      #expect(
        recorder.events == [
          .init(name: "message", id: "7", data: "{\"a\":\"ü\"}"), .init(name: "end", id: "7", data: "one\ntwo"),
          .init(name: "message", id: "7", data: "[DONE]"),
        ])
      #expect(recorder.body.isEmpty && recorder.result?.failure == nil)
    }
    #expect(server.connectionCount == 1)
  }

  @Test(arguments: [("429 Too Many Requests", "text/event-stream"), ("200 OK", "application/json")])
  func `what is no event stream, or no success, comes as a body`(status: String, type: String) throws {
    let server = try UpstreamServer.answering { _ in httpAnswer("data: x\n\n", type: type, status: status) }
    let bench = try UpstreamBench()
    let recorder = try bench.start(UpstreamRequest(method: "GET", url: server.url, mode: .serverSentEvents))
    bench.run()
    server.stop()
    #expect(recorder.events.isEmpty && recorder.text == "data: x\n\n" && recorder.result?.failure == nil)
  }

  @Test func `exchanges one after another share a connection, those side by side do not`() throws {
    let together = Atomic<Int>(0)
    let server = try UpstreamServer.answering { request in
      guard request.contains("/pair") else { return httpAnswer("ok") }
      // Neither of the pair is answered before both are there.
      together.add(1, ordering: .relaxed)
      while together.load(ordering: .relaxed) < 2 { sched_yield() }
      return httpAnswer("ok")
    }
    let bench = try UpstreamBench()
    let request = UpstreamRequest(method: "GET", url: server.url)
    let paired = UpstreamRequest(method: "GET", url: server.url + "pair")
    let first = ExchangeRecorder()
    let second = ExchangeRecorder()
    let pair = [ExchangeRecorder(), ExchangeRecorder()]
    first.onComplete = { _ = try? bench.start(request, second) }
    second.onComplete = { for recorder in pair { _ = try? bench.start(paired, recorder) } }
    try bench.start(request, first)
    bench.run()
    server.stop()
    #expect(server.connectionCount == 2)
    #expect(first.result?.connectNanoseconds ?? 0 > 0)
    #expect(second.result?.connectNanoseconds == 0 && second.connections == 1)
    #expect(([first, second] + pair).allSatisfy { $0.text == "ok" && $0.results.count == 1 })
  }

  @Test func `interim answers are passed over and redirects are answers`() throws {
    let server = try UpstreamServer.answering { _ in
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    }
    let bench = try UpstreamBench()
    let recorder = try bench.start(UpstreamRequest(method: "GET", url: server.url))
    bench.run()
    server.stop()
    #expect(recorder.status == 302 && recorder.headers.map(\.name) == ["Location", "Content-Length"])
    #expect(recorder.result?.failure == nil && server.connectionCount == 1)
  }

  @Test func `a refused connection is a network failure that names host and port`() throws {
    let made = try Listener.listen(BindAddress(parsing: "127.0.0.1:0"))
    let (descriptor, bound) = (made.descriptor, made.bound)
    close(descriptor)
    let bench = try UpstreamBench()
    let recorder = try bench.start(UpstreamRequest(method: "GET", url: "http://\(bound)/"))
    bench.run()
    let failure = try #require(recorder.result?.failure)
    #expect(failure.status == PRV_E_NETWORK)
    #expect(failure.message.hasPrefix("\(bound): ") && failure.message.contains("onnect"))
    #expect(recorder.status == nil && recorder.connections == 0)
  }

  @Test(arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "HTTP/1.1 200 OK\r\nConte", "",
  ])
  func `an upstream that dies in the middle is a network failure`(answer: String) throws {
    let server = try UpstreamServer { connection in
      guard connection.readRequest() != nil else { return }
      connection.send(answer)
    }
    let bench = try UpstreamBench()
    let recorder = try bench.start(UpstreamRequest(method: "GET", url: server.url))
    bench.run()
    server.stop()
    #expect(recorder.result?.failure?.status == PRV_E_NETWORK)
    #expect(recorder.text == (answer.hasSuffix("\r\n\r\n") || !answer.contains("half") ? "" : "half"))
  }

  @Test func `a reset is a network failure, and a body that ends with its connection is whole`() throws {
    let server = try UpstreamServer { connection in
      guard let request = connection.readRequest() else { return }
      connection.send("HTTP/1.1 200 OK\r\n\r\nbody")
      if request.contains("/reset") { connection.reset() }
    }
    let bench = try UpstreamBench()
    let reset = ExchangeRecorder()
    let whole = try bench.start(UpstreamRequest(method: "GET", url: server.url))
    try bench.start(UpstreamRequest(method: "GET", url: server.url + "reset"), reset)
    bench.run()
    server.stop()
    #expect(reset.result?.failure?.status == PRV_E_NETWORK)
    #expect(whole.result?.failure == nil && whole.text == "body")
  }

  @Test func `what is no HTTP is a bad response or a network failure`() throws {
    let server = try UpstreamServer { connection in
      guard connection.readRequest() != nil else { return }
      connection.send("SSH-2.0-OpenSSH\r\n")
    }
    let bench = try UpstreamBench()
    let recorder = try bench.start(UpstreamRequest(method: "GET", url: server.url))
    bench.run()
    server.stop()
    let status = try #require(recorder.result?.failure?.status)
    #expect([PRV_E_UNSUPPORTED, PRV_E_BAD_RESPONSE, PRV_E_NETWORK, PRV_E_INVALID_ARGUMENT].contains(status))
  }

  @Test(arguments: [-1, 0, 1])
  func `an answer may be as large as its limit and not larger`(excess: Int) throws {
    let body = String(repeating: "b", count: 40_000)
    let server = try UpstreamServer.answering { _ in httpAnswer(body) }
    let bench = try UpstreamBench()
    let recorder = try bench.start(
      UpstreamRequest(method: "GET", url: server.url, responseBytesLimit: UInt64(40_000 - excess)))
    bench.run()
    server.stop()
    #expect(recorder.result?.failure?.status == (excess > 0 ? PRV_E_LIMIT : nil))
    #expect(recorder.body.count <= 40_000 - max(0, excess))
    if excess > 0 {
      #expect(recorder.result?.failure?.message.contains("larger than 39999 bytes") == true)
    } else {
      #expect(recorder.body.count == 40_000)
    }
  }

  @Test(arguments: [-1, 0, 1])
  func `a head may be as large as its limit and not larger`(excess: Int) throws {
    let head = "HTTP/1.1 200 OK\r\nX-Filler: \(String(repeating: "f", count: 3_000))\r\nContent-Length: 2\r\n\r\n"
    let server = try UpstreamServer.answering { _ in head + "ok" }
    let bench = try UpstreamBench()
    let recorder = try bench.start(
      UpstreamRequest(method: "GET", url: server.url, headerBytesLimit: UInt64(head.utf8.count - excess)))
    bench.run()
    server.stop()
    #expect(recorder.result?.failure?.status == (excess > 0 ? PRV_E_LIMIT : nil))
    #expect(recorder.text == (excess > 0 ? "" : "ok"))
  }

  @Test func `a line of the head without end is stopped`() throws {
    let server = try UpstreamServer { connection in
      guard connection.readRequest() != nil, connection.send("HTTP/1.1 200 OK\r\nX-Endless: ") else { return }
      while connection.send([UInt8](repeating: 0x61, count: 16_384)) {}
    }
    let bench = try UpstreamBench()
    let recorder = try bench.start(UpstreamRequest(method: "GET", url: server.url))
    bench.run()
    server.stop()
    #expect(recorder.result?.failure?.status == PRV_E_LIMIT)
  }

  @Test func `a kept connection that the server has closed meanwhile is replaced, not reported`() throws {
    let server = try UpstreamServer { connection in
      guard connection.readRequest() != nil else { return }
      connection.send(httpAnswer("once"))
    }
    let bench = try UpstreamBench()
    let recorders = (0..<8).map { _ in ExchangeRecorder() }
    let request = UpstreamRequest(method: "POST", url: server.url, body: [1])
    for (recorder, next) in zip(recorders, recorders.dropFirst()) {
      recorder.onComplete = { _ = try? bench.start(request, next) }
    }
    try bench.start(request, recorders[0])
    bench.run()
    server.stop()
    #expect(recorders.allSatisfy { $0.text == "once" && $0.results.count == 1 && $0.result?.failure == nil })
    #expect(server.connectionCount == 8)
  }

  @Test func `a proxy of the environment is used, except for the hosts it names`() async {
    // In a process of its own: the environment is everyone's.
    await #expect(processExitsWith: .success) {
      let seen = Mutex<[String]>([])
      let server = try UpstreamServer.answering { request in
        seen.withLock { $0.append(String(request.prefix { $0 != "\r\n" })) }
        return httpAnswer("ok")
      }
      setenv("http_proxy", "http://127.0.0.1:\(server.port)", 1)
      setenv("no_proxy", "127.0.0.1", 1)
      let bench = try UpstreamBench()
      try bench.start(UpstreamRequest(method: "GET", url: "http://upstream.invalid/v1"))
      try bench.start(UpstreamRequest(method: "GET", url: server.url + "direct"))
      bench.run()
      server.stop()
      let lines = seen.withLock { $0.sorted() }
      exit(lines == ["GET /direct HTTP/1.1", "GET http://upstream.invalid/v1 HTTP/1.1"] ? 0 : 1)
    }
  }

  @Test func `without libcurl the reason names the package`() throws {
    let error = try #require(throws: SharedLibrary.LoadError.self) { try CurlLibrary("libcurl-not-here.so.4") }
    #expect("\(error)".contains("libcurl-not-here.so.4") && "\(error)".contains("libcurl4"))
  }

  @Test func `libcurl is loaded once`() throws {
    #expect(try CurlLibrary.load() === CurlLibrary.load())
    #expect(try CurlLibrary.load().version.contains("."))
  }
}
