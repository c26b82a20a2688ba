import Bytes
import Testing
import Wire

/// What became of a body: its bytes, whether it ended, what was left behind it.
private struct Read: Equatable {
  var body = ""
  var isEnded = false
  var rest = ""
}

private func read(_ text: String, _ length: HTTPBodyLength, pieces: [Int]? = nil, limit: Int = 1000) -> Result<
  Read, HTTPError
> {
  var read = Read()
  var input = ByteBuffer()
  var bytes = Array(text.utf8)[...]
  do {
    var decoder = try HTTPBodyDecoder(length, bodyBytesLimit: limit)
    for piece in pieces ?? [bytes.count] {
      input.append(Array(bytes.prefix(piece)))
      bytes = bytes.dropFirst(piece)
      while !read.isEnded, let event = try decoder.next(&input) {
        switch event {
        case .bytes(let piece): read.body += String(decoding: piece, as: UTF8.self)
        case .end: read.isEnded = true
        }
      }
    }
  } catch {
    return .failure(error)
  }
  read.rest = input.string() + String(decoding: bytes, as: UTF8.self)
  return .success(read)
}

private func status(_ text: String, _ length: HTTPBodyLength = .chunked, limit: Int = 1000) -> Int? {
  if case .failure(let error) = read(text, length, limit: limit) { error.status } else { nil }
}

struct HTTPBodyDecoderTests {
  private static let chunked = "5\r\nhello\r\n00a;x=\"y\"\r\n, chunked!\r\n0\r\nX: trailer\r\n\r\n"

  @Test(
    arguments: [
      (chunked, .chunked, "hello, chunked!"), ("0\r\n\r\n", .chunked, ""), ("hello", .bytes(5), "hello"),
      ("", .none, ""),
    ] as [(String, HTTPBodyLength, String)])
  func `a body is the same at every split, and ends where it ends`(
    text: String, length: HTTPBodyLength, body: String
  ) throws {
    let stream = text + "GET"
    let size = stream.utf8.count
    let expected = Read(body: body, isEnded: true, rest: "GET")
    for cut in 0...size {
      #expect(try read(stream, length, pieces: [cut, size - cut]).get() == expected, "cut at \(cut)")
    }
    #expect(try read(stream, length, pieces: Array(repeating: 1, count: size)).get() == expected)
  }

  @Test(arguments: [
    "\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\n", "1;\u{1}\r\n", "1\r\nab\r\n", "1\r\na\n",
    "1\r\na\rb", "0\r\nX\r\n\r\n", "0\r\nX : a\r\n\r\n", "0\r\n\n", "1;a\rb\r\n",
    "1;" + String(repeating: "x", count: 255) + "\r\n",
  ])
  func `a chunk that could be read in two ways is refused`(text: String) {
    #expect(status(text) == 400)
  }

  @Test func `a chunk's size line is taken up to its limit`() {
    #expect(status("1;" + String(repeating: "x", count: 254) + "\r\n") == nil)
  }

  @Test(arguments: [(99, nil), (100, nil), (101, 413)] as [(Int, Int?)])
  func `a body is bounded however it is delimited`(size: Int, expected: Int?) {
    let text = String(repeating: "x", count: size)
    #expect(status(text, .bytes(UInt64(size)), limit: 100) == expected)
    #expect(status(text, .untilClose, limit: 100) == expected)
    #expect(status("\(String(size, radix: 16))\r\n", limit: 100) == expected)
    let halves = "32\r\n\(text.prefix(50))\r\n\(String(size - 50, radix: 16))\r\n"
    #expect(status(halves, limit: 100) == expected)
  }

  @Test(
    arguments: [
      ("FFFFFFFFFFFFFFFF", 413), ("7FFFFFFFFFFFFFFF", 413), ("8000000000000000", 413), ("10000000000000000", 400),
      ("FFFFFFFFFFFFFFFFFFFFFFFF", 400), ("00000000000000001", 400), ("0000000000000001", nil),
    ] as [(String, Int?)])
  func `a size has 16 digits, and the largest of them is only too large`(size: String, expected: Int?) {
    #expect(status("\(size)\r\n") == expected)
    if size.first != "7" { #expect(status("\(size)\r\n", limit: .max) == expected) }
  }

  @Test func `a body that was cut off is not taken for a whole one`() throws {
    for (length, isWhole) in [(.bytes(3), false), (.chunked, false), (.untilClose, true), (.none, true)]
      as [(HTTPBodyLength, Bool)]
    {
      var decoder = try HTTPBodyDecoder(length, bodyBytesLimit: 10)
      var input = ByteBuffer()
      input.append("2")
      _ = try decoder.next(&input)
      let isWholeAtClose = decoder.isWholeAtClose()
      #expect(isWholeAtClose == isWhole)
    }
  }

  @Test func `what is written in chunks reads back`() throws {
    var buffer = ByteBuffer()
    HTTPResponse.begin(
      status: 200, headers: [("A", "b")], framing: .chunked, persistence: .stays, to: &buffer)
    for piece in ["one", "", String(repeating: "two", count: 10)] {
      Array(piece.utf8).withUnsafeBytes { HTTPResponse.appendChunk($0, to: &buffer) }
    }
    HTTPResponse.endChunks(to: &buffer)
    var parser = HTTPResponseParser()
    let parsed = try parser.nextHead(&buffer)
    let head = try #require(parsed)
    #expect(try head.bodyLength(method: "GET") == .chunked)
    let body = try read(buffer.string(), .chunked).get()
    #expect(body == Read(body: "one" + String(repeating: "two", count: 10), isEnded: true, rest: ""))
  }
}
