import Bytes
import Testing
import Wire

struct HTTPResponseTests {
  @Test func `a response is whole and closes`() {
    var buffer = ByteBuffer()
    Array("{}".utf8).withUnsafeBytes {
      HTTPResponse.append(status: 404, headers: [("A", "b")], body: $0, persistence: .closes, to: &buffer)
    }
    #expect(
      buffer.string() == "HTTP/1.1 404 Not Found\r\nA: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
  }

  @Test(arguments: [
    "SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "\r\n", "HTTP/1.1 +20 x\r\n\r\n",
    "HTTP/1.9 200 x\r\n\r\n", "HTTP/1.1  200 x\r\n\r\n", "HTTP/1.1 600 x\r\n\r\n",
    // Found by Tests/Fuzz/http: what stands behind the status was not looked at.
    "HTTP/1.1 200 O\rK\r\n\r\n", "HTTP/1.1 200 \u{0}\r\n\r\n", "HTTP/1.1 200 O\u{7F}K\r\n\r\n",
  ])
  func `what is no response is refused`(text: String) {
    var buffer = ByteBuffer()
    buffer.append(text)
    var parser = HTTPResponseParser()
    #expect(throws: HTTPError.self) { try parser.nextHead(&buffer) }
  }

  @Test func `no header can begin another`() {
    var buffer = ByteBuffer()
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    HTTPResponse.append(
      status: 200, headers: [("A\r\nB", "c\r\nSet-Cookie: d\u{0}")], body: empty, persistence: .stays, to: &buffer)
    #expect(buffer.string() == "HTTP/1.1 200 OK\r\nA  B: c  Set-Cookie: d \r\nContent-Length: 0\r\n\r\n")
  }

  @Test(
    arguments: [
      ("GET", "200 OK", "Content-Length: 5\r\n", .bytes(5)), ("GET", "200 OK", "", .untilClose),
      ("GET", "200 OK", "Transfer-Encoding: chunked\r\n", .chunked), ("GET", "204 x", "Content-Length: 5\r\n", .none),
      ("HEAD", "200 OK", "Content-Length: 5\r\n", .none), ("GET", "304 x", "Content-Length: 5\r\n", .none),
      ("GET", "100 Continue", "", .none), ("GET", "200", "Content-Length: 0\r\n", .none),
    ] as [(String, String, String, HTTPBodyLength)])
  func `a response's body ends as its head says`(
    method: String, status: String, header: String, length: HTTPBodyLength
  ) throws {
    var buffer = ByteBuffer()
    buffer.append("HTTP/1.1 \(status)\r\n\(header)\r\n")
    var parser = HTTPResponseParser()
    let head = try parser.nextHead(&buffer)
    #expect(try #require(head).bodyLength(method: method) == length)
  }
}
