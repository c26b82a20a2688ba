import Bytes
import Testing
import Wire

private func parse(_ text: String) -> Result<HTTPRequestHead?, HTTPError> {
  var parser = HTTPRequestParser()
  var input = ByteBuffer()
  input.append(text)
  do { return .success(try parser.next(&input)) } catch { return .failure(error) }
}

private func status(_ text: String) -> Int? {
  if case .failure(let error) = parse(text) { error.status } else { nil }
}

private func request(_ target: String = "/", method: String = "GET", version: String = "HTTP/1.1", _ rest: String = "")
  -> String
{
  "\(method) \(target) \(version)\r\nHost: a:1\r\n\(rest)\r\n"
}

/// What a request line and the headers that go with it may say.
struct HTTPTargetTests {
  @Test(
    arguments: [
      ("/", "/", nil), ("/a/b?c=d?e", "/a/b", "c=d?e"), ("/?", "/", ""), ("/%20%2F%fE", "/%20%2F%fE", nil),
      ("//x", "//x", nil), ("/a:b@c!$&'()*+,;=-._~", "/a:b@c!$&'()*+,;=-._~", nil), ("http://a:1/x?y", "/x", "y"),
      ("HTTP://A:1/x", "/x", nil), ("https://a:1", "/", nil), ("http://a:1/", "/", nil),
    ] as [(String, String, String?)])
  func `a target is a path, or a URL of the Host`(target: String, path: String, query: String?) throws {
    let head = try #require(try parse(request(target)).get())
    #expect(head.path == path && head.query == query && head.target == target)
  }

  @Test(arguments: [
    "a", "", "/a b", "/#", "/a#b", "/%", "/%2", "/%g0", "/%00", "/a?%00", "/\\", "/\"", "/<", "/>", "/^", "/`", "/{",
    "/|",
    "/é", "/\u{7F}", "/\t", "*", "a:1", "http://", "http:///", "http://b/", "http://a/", "http://a:2/", "http://u@a:1/",
    "http://a:1?x", "http:/a:1/", "ftp://a:1/", "ws://a:1/", "http//a:1/", "http://a:1.evil.example/",
    "http://a:1@evil.example/",
  ])
  func `what leads elsewhere, or in two ways, is refused`(target: String) {
    #expect(status(request(target)) == 400)
  }

  @Test func `an asterisk, or a host without a path, is the whole server for OPTIONS`() throws {
    for target in ["*", "http://a:1"] {
      #expect(try parse(request(target, method: "OPTIONS")).get()?.path == "*")
    }
    #expect(try parse(request("http://a:1/", method: "OPTIONS")).get()?.path == "/")
  }

  @Test(arguments: [
    ("HTTP/0.9", 505), ("HTTP/1.2", 505), ("HTTP/2.0", 505), ("HTTP/9.9", 505), ("HTTP/1", 400), ("HTTP/1.", 400),
    ("HTTP/1.10", 400), ("HTTP/01.1", 400), ("HTTP/1,1", 400), ("http/1.1", 400), ("HTTP/a.b", 400), ("HTTPS/1.1", 400),
    ("HTTP/1.1\r", 400), ("", 400),
  ])
  func `another version is 505, and what is none 400`(version: String, expected: Int) {
    #expect(status(request(version: version)) == expected)
  }

  @Test func `one empty line may come before a request, and not two`() throws {
    for (lines, isTaken) in [
      ("", true), ("\r\n", true), ("\r\n\r\n", false), ("\n", false), ("\r", false), (" ", false),
    ] {
      #expect((status(lines + request()) == nil) == isTaken, "\(lines.debugDescription)")
    }
    var parser = HTTPRequestParser()
    var input = ByteBuffer()
    var heads = 0
    for byte in ("\r\n" + request() + "\r\n" + request() + request()).utf8 {
      input.append(byte)
      if try parser.next(&input) != nil { heads += 1 }
    }
    #expect(heads == 3)
  }

  @Test(arguments: [
    "chun\u{212A}ed", "chunked\u{A0}", "chunKED ,", "x chunked", "chunked, chunked", "identity", "chunked;q=1", "",
  ])
  func `a transfer coding that is not chunked to every reader is refused`(coding: String) {
    #expect(status(request(method: "POST", "Transfer-Encoding: \(coding)\r\n")) == 501)
  }

  @Test(
    arguments: [
      ("a", nil), ("A.b-c_d~e", nil), ("1.2.3.4:65535", nil), ("[::1]", nil), ("[::1]:1", nil), ("", nil),
      ("a:65536", 400),
      ("a:", 400), ("a:x", 400), ("a:1:2", 400), ("a,b", 400), ("a%62", 400), ("[::1", 400), ("[::1]x", 400),
      ("[x]", 400),
      ("[fe80::1%25x]", 400), ("u@a", 400), ("a/b", 400), ("http://a", 400), (":1", 400),
    ] as [(String, Int?)])
  func `a Host is a host and a port`(host: String, expected: Int?) {
    #expect(status("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n") == expected)
  }

  @Test(
    arguments: [
      ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: x, CLOSE\r\n", false),
      ("1.1", "Connection: keep-alive\r\n", true), ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true),
      ("1.0", "Connection: keep-alive\r\nConnection: close\r\n", false), ("1.1", "Connection: closed\r\n", true),
    ])
  func `a client says whether the connection stays`(version: String, headers: String, stays: Bool) throws {
    #expect(try parse(request(version: "HTTP/\(version)", headers)).get()?.keepsAlive == stays)
  }

  @Test(
    arguments: [
      ("1.1", "", .none), ("1.1", "Expect: 100-Continue\r\n", .continue), ("1.1", "Expect: x\r\n", .unknown),
      ("1.1", "Expect: 100-continue, x\r\n", .unknown), ("1.1", "Expect: \r\n", .unknown),
      ("1.1", "Expect: 100-continue\r\nExpect: y\r\n", .unknown), ("1.0", "Expect: x\r\n", .none),
    ] as [(String, String, HTTPRequestHead.Expectation)])
  func `what a client expects is known`(version: String, headers: String, expected: HTTPRequestHead.Expectation) throws
  {
    #expect(try parse(request(version: "HTTP/\(version)", headers)).get()?.expectation == expected)
  }

  @Test(
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
      (.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] as [(UInt64, String)])
  func `a date is written as HTTP has it`(seconds: UInt64, text: String) {
    var buffer = ByteBuffer()
    HTTPDate.append(secondsSince1970: seconds, to: &buffer)
    #expect(buffer.string() == text)
  }
}

/// The states of a connection's requests, without a socket.
struct HTTPRequestStreamTests {
  private static func words(_ stream: inout HTTPRequestStream, _ input: inout ByteBuffer) throws(HTTPError) -> [String]
  {
    var words: [String] = []
    while let event = try stream.next(&input) {
      switch event {
      case .head(let head): words.append("head \(head.path)")
      case .body(let piece): words.append("body \(piece.count)")
      case .end: words.append("end")
      }
    }
    return words
  }

  @Test func `nothing of the next request is read before this one is decided, whole and answered`() throws {
    var stream = HTTPRequestStream()
    var input = ByteBuffer()
    input.append(request("/1", method: "POST", "Content-Length: 2\r\n") + "ab" + request("/2"))
    #expect(try Self.words(&stream, &input) == ["head /1"])
    try stream.takeBody(upTo: 2)
    #expect(try Self.words(&stream, &input) == ["body 2", "end"])
    let isBetween = stream.isBetweenRequests
    #expect(!isBetween)
    stream.answered()
    #expect(try Self.words(&stream, &input) == ["head /2"])
    let mayGoOn = stream.dropBody()
    #expect(mayGoOn)
    stream.answered()
    let left = input.count
    #expect(left == 0)
  }

  @Test func `an answer before the end waits for it`() throws {
    var stream = HTTPRequestStream()
    var input = ByteBuffer()
    input.append(request("/1", method: "POST", "Transfer-Encoding: chunked\r\n") + "1\r\na\r\n")
    #expect(try Self.words(&stream, &input) == ["head /1"])
    try stream.takeBody(upTo: 10)
    #expect(try Self.words(&stream, &input) == ["body 1"])
    let mayGoOn = stream.dropBody()
    #expect(mayGoOn)
    stream.answered()
    input.append("2\r\nbc\r\n0\r\n\r\n" + request("/2"))
    #expect(try Self.words(&stream, &input) == ["head /2"])
  }

  @Test(arguments: [65_535, 65_536, 65_537])
  func `a dropped body is bounded`(size: Int) throws {
    for isChunked in [false, true] {
      var stream = HTTPRequestStream()
      var input = ByteBuffer()
      input.append(
        request("/1", method: "POST", isChunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: \(size)\r\n"))
      _ = try Self.words(&stream, &input)
      let mayGoOn = stream.dropBody()
      #expect(mayGoOn == (isChunked || size <= 65_536))
      guard isChunked else { continue }
      stream.answered()
      input.append("\(String(size, radix: 16))\r\n" + String(repeating: "x", count: size) + "\r\n0\r\n\r\n")
      let status: Int?
      do {
        _ = try Self.words(&stream, &input)
        status = nil
      } catch {
        status = error.status
      }
      #expect(status == (size <= 65_536 ? nil : 413))
    }
  }
}
