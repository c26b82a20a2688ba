import CProviderABI
import Decisions
import Testing

@testable import Host

struct ExchangeClocksTests {
  private let limits = ExchangeClocks.Limits(connect: 10, firstByte: 20, idle: 30, total: 1_000)
  private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

  @Test(arguments: [0, 1] as [UInt64])
  func `each clock runs out at its limit and not before`(late: UInt64) {
    func expect(_ clocks: ExchangeClocks, _ clock: ProviderFailure.Clock, at nanoseconds: UInt64) {
      #expect(clocks.next == at(nanoseconds))
      #expect(clocks.expired(at(nanoseconds - 1)) == nil)
      #expect(clocks.expired(at(nanoseconds + late))?.clock == clock)
    }
    var clocks = ExchangeClocks(limits, now: at(100))
    expect(clocks, .connect, at: 110)
    clocks.connected(at(105))
    expect(clocks, .firstByte, at: 125)
    clocks.received(at(120))
    expect(clocks, .idle, at: 150)
    clocks.received(at(1_090))
    expect(clocks, .total, at: 1_100)
  }

  @Test func `a pause stops first byte and idle where they are, and nothing else`() {
    var clocks = ExchangeClocks(limits, now: at(0))
    clocks.pause(at(1))
    #expect(clocks.next == at(10))
    clocks.connected(at(5))
    #expect(clocks.next == at(1_000))
    clocks.resume(at(500))
    #expect(clocks.next == at(520))
    clocks.pause(at(515))
    clocks.pause(at(517))
    clocks.resume(at(600))
    #expect(clocks.next == at(605))
    clocks.received(at(601))
    clocks.pause(at(631))
    #expect(clocks.next == at(1_000))
    clocks.resume(at(700))
    #expect(clocks.expired(at(701))?.clock == .idle)
  }

  @Test func `a limit of 0 is no clock`() {
    var clocks = ExchangeClocks(.init(), now: at(5))
    #expect(clocks.next == .never)
    clocks.connected(at(6))
    clocks.pause(at(7))
    clocks.resume(at(8))
    clocks.received(at(9))
    #expect(clocks.next == .never && clocks.expired(at(.max - 1)) == nil)
  }
}

struct ResponseHeadTests {
  private func steps(_ lines: [String], limit: UInt64 = 1_000) -> (ResponseHead, [ResponseHead.Step]) {
    var head = ResponseHead(bytesLimit: limit)
    let steps = lines.map { line in Array("\(line)\r\n".utf8).withUnsafeBytes { head.take($0) } }
    return (head, steps)
  }

  @Test func `a head is its status and its headers, trimmed, in order; trailers are dropped`() {
    let (head, steps) = steps(["HTTP/1.1 207", "A:  1 \t", "B:", "A: 2:3", "", "T: trailer", ""])
    #expect(head.status == 207)
    #expect(head.headers.map { "\($0.name)=\($0.value)" } == ["A=1", "B=", "A=2:3"])
    #expect(steps == [.more, .more, .more, .more, .complete, .more, .more])
  }

  @Test(arguments: [
    ("text/event-stream", "200", true), ("Text/Event-Stream ; charset=utf-8", "299", true),
    ("text/event-stream", "300", false), ("text/event-stream", "199", false), ("text/event-streams", "200", false),
    ("application/json", "200", false),
  ])
  func `an event stream is told by type and success`(type: String, status: String, isStream: Bool) {
    #expect(steps(["HTTP/1.1 \(status) x", "CONTENT-TYPE: \(type)"]).0.isEventStream == isStream)
  }

  @Test(arguments: ["HTTP/1.1", "HTTP/1.1 2x0 OK", "HTTP/1.1 "])
  func `a status that is no number is 0`(line: String) { #expect(steps([line]).0.status == 0) }

  @Test(arguments: [-1, 0, 1])
  func `the limit counts every line`(excess: Int) {
    let (_, steps) = steps(["HTTP/1.1 200 OK", "A: 1", ""], limit: UInt64(25 - excess))
    #expect(steps.last == (excess > 0 ? .tooLarge : .complete))
  }
}

struct UpstreamRequestCheckTests {
  @Test(arguments: [
    ("http://a", "a:80"), ("HTTPS://a.example/x?y@z", "a.example:443"), ("http://[::1]:8/x", "[::1]:8"),
    ("http://[::1]/", "[::1]:80"), ("http://a:1?x", "a:1"),
  ])
  func `a request knows whom it is for`(url: String, authority: String) throws {
    #expect(try UpstreamRequest(method: "GET", url: url).checked() == authority)
  }

  @Test(arguments: [
    "", "a", "ftp://a", "file:///etc/passwd", "http://", "http:///x", "http://user@a/", "http://a:0x/",
    "http://a:65536/", "http://:80/", "http://a/ b", "http://a/\r\nX: y", "http://a\\b/",
  ])
  func `a malformed URL is refused`(url: String) throws {
    let failure = try #require(throws: ProviderFailure.self) { try UpstreamRequest(method: "GET", url: url).checked() }
    #expect(failure.status == PRV_E_INVALID_ARGUMENT)
  }

  @Test(arguments: [
    ("X-A", "s3cret\r\nX-B: b"), ("X-A\r\nX-B", "s3cret"), ("", "s3cret"), ("X A", "s3cret"), ("X:A", "s3cret"),
    ("X-A", "s3cret\0"), ("Content-Length", "s3cret"), ("transfer-encoding", "s3cret"),
  ])
  func `a header that would break the request is refused, wherever it comes from`(name: String, value: String) throws {
    let plain = UpstreamRequest(method: "GET", url: "http://a/", headers: [(name, value)])
    let credential = UpstreamRequest(method: "GET", url: "http://a/", credential: (name, value))
    for request in [plain, credential] {
      let failure = try #require(throws: ProviderFailure.self) { try request.checked() }
      #expect(failure.status == PRV_E_INVALID_ARGUMENT)
      #expect(!failure.message.contains("s3cret"))
    }
  }

  @Test(arguments: ["", "get", "G T", "GET /x HTTP/1.1\r\n"])
  func `a method is capital letters`(method: String) {
    #expect(throws: ProviderFailure.self) { try UpstreamRequest(method: method, url: "http://a/").checked() }
  }
}
