import Bytes
import Testing
import Wire

private func parse(_ text: String, pieces: [Int]? = nil, limits: HTTPLimits = HTTPLimits()) -> Result<
  HTTPRequestHead?, HTTPError
> {
  var parser = HTTPRequestParser(limits: limits)
  var input = ByteBuffer()
  var rest = Array(text.utf8)[...]
  do {
    for piece in pieces ?? [rest.count] {
      input.append(Array(rest.prefix(piece)))
      rest = rest.dropFirst(piece)
      if let head = try parser.next(&input) { return .success(head) }
    }
    return .success(nil)
  } catch {
    return .failure(error)
  }
}

private func status(_ text: String, limits: HTTPLimits = HTTPLimits()) -> Int? {
  if case .failure(let error) = parse(text, limits: limits) { error.status } else { nil }
}

private let upgrade =
  "GET /ws?x=1 HTTP/1.1\r\nHost: localhost:8079\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
  + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

struct HTTPRequestParserTests {
  @Test func `a request is read the same at every split`() throws {
    let whole = try #require(try parse(upgrade).get())
    #expect(whole.path == "/ws")
    #expect(whole.query == "x=1")
    #expect(whole.headers["HOST"] == "localhost:8079")
    for cut in 0...upgrade.utf8.count {
      #expect(try parse(upgrade, pieces: [cut, upgrade.utf8.count - cut]).get() == whole)
    }
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\nHost: a\n\n", 400), ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400), ("GET / HTTP/1.1\r\n: a\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("GET / FTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400), ("get", 400), ("\u{16}\u{3}\u{1}", 400),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\u{1}b\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\u{0}\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400), ("GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", 400),
  ])
  func `what could be read in two ways is refused`(text: String, expected: Int) {
    #expect(status(text) == expected)
  }

  @Test func `the number of headers is bounded exactly`() {
    func request(_ count: Int) -> String {
      "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: count - 1) + "\r\n"
    }
    #expect(status(request(99)) == nil)
    #expect(status(request(100)) == nil)
    #expect(status(request(101)) == 431)
  }

  @Test func `a line and a head are bounded, also while they are unfinished`() {
    var limits = HTTPLimits()
    limits.headBytes = 300
    limits.lineBytes = 100
    func request(line: Int) -> String {
      "GET / HTTP/1.1\r\nHost: a\r\n" + "X: " + String(repeating: "y", count: line - 3) + "\r\n\r\n"
    }
    #expect(status(request(line: 99), limits: limits) == nil)
    #expect(status(request(line: 100), limits: limits) == nil)
    #expect(status(request(line: 101), limits: limits) == 431)
    #expect(status("GET /" + String(repeating: "a", count: 97), limits: limits) == 414)
    #expect(status("GET /" + String(repeating: "a", count: 96), limits: limits) == nil)
    #expect(
      status("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: yyyyyyyyyy\r\n", count: 30), limits: limits) == 431
    )
  }
}

extension HTTPRequestParserTests {
  /// Found by Tests/Fuzz/http: 400 in one piece, 414 in two.
  @Test(arguments: [99, 100, 101, 102, 103])
  func `what is wrong with a line is the same however it is cut`(size: Int) {
    var limits = HTTPLimits()
    limits.lineBytes = 100
    for end in ["\n", "\r\n"] {
      let line = "GET /" + String(repeating: "a", count: size - 5) + end
      let whole = parse(line, limits: limits)
      for cut in 1..<line.utf8.count {
        #expect(parse(line, pieces: [cut, line.utf8.count - cut], limits: limits) == whole, "cut at \(cut)")
      }
    }
  }

  @Test(arguments: [(299, nil), (300, nil), (301, 431)] as [(Int, Int?)])
  func `a head is taken up to its limit`(size: Int, expected: Int?) {
    var limits = HTTPLimits()
    limits.headBytes = 300
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
    let request = start + String(repeating: "y", count: size - start.utf8.count - 4) + "\r\n\r\n"
    #expect(status(request, limits: limits) == expected)
    let pieces = parse(request, pieces: Array(repeating: 1, count: size), limits: limits)
    #expect((try? pieces.get()) == (expected == nil ? try? parse(request).get() : nil))
  }

  @Test func `requests that follow each other are read one by one, byte by byte`() throws {
    var parser = HTTPRequestParser()
    var input = ByteBuffer()
    var targets: [String] = []
    let requests = ["/a HTTP/1.1\r\nHost: a", "/b HTTP/1.0", "/c HTTP/1.1\r\nHost: c"]
    for byte in requests.map({ "GET \($0)\r\n\r\n" }).joined().utf8 {
      input.append(byte)
      if let head = try parser.next(&input) { targets.append(head.target) }
    }
    let left = input.count
    #expect(targets == ["/a", "/b", "/c"])
    #expect(left == 0)
  }

  @Test(arguments: ["a/b", "user@a", "a b", "a,b", "a\\b", "a?x", "é"])
  func `a Host that is not a host and a port is refused`(host: String) {
    #expect(status("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n") == 400)
  }
}

struct WebSocketHandshakeTests {
  // RFC 6455 §1.3.
  @Test func `the accept value is the one of the specification`() throws {
    let head = try #require(try parse(upgrade).get())
    #expect(WebSocketHandshake.check(head) == .upgrade(accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
  }

  @Test(
    arguments: [
      ("Upgrade: WebSocket\r\n", "", nil), ("Connection: keep-alive, Upgrade", "Connection: keep-alive", 400),
      ("Version: 13", "Version: 8", 426), ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
      ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=", 400), ("GET", "POST", 405),
      ("HTTP/1.1", "HTTP/1.0", 400), ("Host", "Content-Length: 5\r\nHost", 400),
    ] as [(String, String, Int?)])
  func `a wrong upgrade is refused with its status`(part: String, replacement: String, expected: Int?) throws {
    var request = upgrade
    request.replaceSubrange(try #require(upgrade.firstRange(of: part)), with: replacement)
    let head = try #require(try parse(request).get())
    switch WebSocketHandshake.check(head) {
    case .upgrade: Issue.record("upgraded")
    case .notAnUpgrade: #expect(expected == nil)
    case .refused(let status, _, _): #expect(status == expected)
    }
  }

  @Test func `client and server agree`() throws {
    var request = ByteBuffer()
    WebSocketHandshake.appendRequest(host: "[::1]:80", path: "/", key: "dGhlIHNhbXBsZSBub25jZQ==", to: &request)
    var parser = HTTPRequestParser()
    let parsed = try parser.next(&request)
    guard case .upgrade(let accept) = WebSocketHandshake.check(try #require(parsed)) else {
      Issue.record("refused")
      return
    }
    var response = ByteBuffer()
    WebSocketHandshake.appendResponse(accept: accept, to: &response)
    var responses = HTTPResponseParser()
    let answer = try responses.nextHead(&response)
    let head = try #require(answer)
    #expect(head.status == 101)
    #expect(WebSocketHandshake.verify(head, key: "dGhlIHNhbXBsZSBub25jZQ==") == nil)
    #expect(WebSocketHandshake.verify(head, key: "AAAAAAAAAAAAAAAAAAAAAA==") != nil)
    var wrong = head
    wrong.status = 200
    #expect(WebSocketHandshake.verify(wrong, key: "dGhlIHNhbXBsZSBub25jZQ==") != nil)
    wrong = head
    wrong.headers.append("Sec-WebSocket-Extensions", "permessage-deflate")
    #expect(WebSocketHandshake.verify(wrong, key: "dGhlIHNhbXBsZSBub25jZQ==") != nil)
  }
}

struct HostAuthorityTests {
  @Test(arguments: [
    ("127.0.0.1", true), ("127.0.0.1:8079", true), ("[::1]:8079", true), ("localhost:1", true), ("LOCALHOST", true),
    ("10.0.0.256", false), ("1.2.3", false), ("evil.example", false), ("localhost.evil.example", false),
    ("[evil]", false), ("[::1", false), ("localhost:", false), ("localhost:99999", false), ("localhost:+1", false),
    ("localhost:-0", false), ("localhost:000080", false),
    ("", false), ("my.host", true), ("my.host:80", true), ("127.0.0.1.nip.io", false),
  ])
  func `only addresses, localhost and named hosts are this host`(host: String, isAllowed: Bool) {
    #expect(HostAuthority.isAllowed(host, allowed: ["My.Host"]) == isAllowed)
  }

  @Test func `no Host is refused, no Origin is allowed, null is not`() {
    #expect(!HostAuthority.isAllowed(nil, allowed: []))
    #expect(Origin.isAllowed([], allowed: []))
    #expect(!Origin.isAllowed(["null"], allowed: []))
    #expect(!Origin.isAllowed(["https://a.example"], allowed: []))
    #expect(Origin.isAllowed(["https://A.example"], allowed: ["https://a.example"]))
    #expect(!Origin.isAllowed(["https://a.example", "https://b.example"], allowed: ["https://a.example"]))
  }
}
