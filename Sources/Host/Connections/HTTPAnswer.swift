import Bytes
import Decisions
import Glibc
import Wire

/// The answer to one request: whole with `send`, or in pieces with `begin`, `write` and `end`.
///
/// | state     | `send`, `begin` | `write`, `end` | leaves by                       |
/// |-----------|-----------------|----------------|---------------------------------|
/// | awaited   | taken           | –              | `send`: over; `begin`: begun    |
/// | begun     | –               | taken          | `end`: over                     |
/// | over      | nothing happens | the same       |                                 |
///
/// It is over too when its connection ends, whatever was said by then. Thread: the loop's.
final class HTTPAnswer {
  private enum State { case awaited, begun(HTTPResponse.Framing, HTTPResponse.Persistence), over }

  let head: HTTPRequestHead
  /// The client's own, or one that was made.
  let requestID: String
  private var state = State.awaited
  /// nil: over.
  private var front: HTTPFront?

  init(_ head: HTTPRequestHead, front: HTTPFront) {
    self.head = head
    self.front = front
    requestID = HTTPRequestID.of(head)
  }

  /// For log lines: the request's id, and its trace if it is in one.
  var names: [LogField] {
    let trace = head.headers["traceparent"].flatMap { TraceContext(parent: $0) }
    return [("request_id", requestID)] + (trace.map { [("trace_id", $0.traceID)] } ?? [])
  }

  /// Whether nothing was said yet.
  var isAwaited: Bool { if case .awaited = state { true } else { false } }

  /// Who asks.
  var peer: SocketAddress { front?.connection.peer ?? .unix }
  /// By which its attempts are counted; nil: it has none.
  var address: Census.Address? { front?.connection.address }
  /// Whether the connection speaks TLS.
  var isSecure: Bool { front?.connection.isSecure ?? false }
  /// Whether the client has not taken all that was written.
  var hasBacklog: Bool { front.map { !$0.connection.outbound.isEmpty } ?? false }

  /// The whole answer. To HEAD its body is not sent.
  func send(_ reply: HTTPReply) {
    guard case .awaited = state, let front else { return }
    let persistence = persistence(closes: reply.closes, isWhole: true)
    state = .over
    var body = ByteBuffer()
    if let write = reply.writeBody { write(&body) } else { body.append(reply.body) }
    var headers = Self.common(requestID)
    if !body.isEmpty { headers.append(("Content-Type", reply.contentType)) }
    HTTPResponse.append(
      status: reply.status, headers: headers + reply.headers, body: body.readable, hasBody: head.method != "HEAD",
      persistence: persistence, to: &front.connection.outbound)
    finish(persistence)
  }

  /// Begins an answer of unknown length: in chunks, or to HTTP/1.0 until the connection ends.
  ///
  /// - Parameter closes: the connection ends after it.
  func begin(status: Int, contentType: String, headers: [(String, String)] = [], closes: Bool = false) {
    guard case .awaited = state, let front else { return }
    let framing: HTTPResponse.Framing = head.minorVersion >= 1 ? .chunked : .untilClose
    let persistence = persistence(closes: closes || framing == .untilClose, isWhole: false)
    state = .begun(framing, persistence)
    HTTPResponse.begin(
      status: status, headers: Self.common(requestID) + [("Content-Type", contentType)] + headers, framing: framing,
      persistence: persistence, to: &front.connection.outbound)
    front.connection.outboundChanged()
  }

  /// A piece of the body. false: the client reads slowly; wait for `backlogCleared`.
  @discardableResult
  func write(_ piece: UnsafeRawBufferPointer) -> Bool {
    guard case .begun(let framing, _) = state, let front else { return true }
    if head.method != "HEAD" {
      switch framing {
      case .chunked: HTTPResponse.appendChunk(piece, to: &front.connection.outbound)
      case .untilClose: front.connection.outbound.append(piece)
      }
      front.connection.outboundChanged()
    }
    return !front.connection.isCongested
  }

  /// The body is complete.
  func end() {
    guard case .begun(let framing, let persistence) = state, let front else { return }
    state = .over
    if framing == .chunked, head.method != "HEAD" { HTTPResponse.endChunks(to: &front.connection.outbound) }
    finish(persistence)
  }

  /// The connection has ended: what is said from now on reaches nobody.
  func cutOff() {
    state = .over
    front = nil
  }

  private func persistence(closes: Bool, isWhole: Bool) -> HTTPResponse.Persistence {
    guard !closes, let front, front.mayGoOn(after: head, isWhole: isWhole) else { return .closes }
    return head.minorVersion >= 1 ? .stays : .staysAsSaid
  }

  private func finish(_ persistence: HTTPResponse.Persistence) {
    let front = self.front
    self.front = nil
    front?.answered(keepsAlive: persistence != .closes)
  }

  /// Headers of every answer.
  private static func common(_ requestID: String) -> [(String, String)] {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    var date = ByteBuffer()
    HTTPDate.append(secondsSince1970: UInt64(max(0, now.tv_sec)), to: &date)
    return [("Date", date.string()), ("X-Request-Id", requestID)]
  }

  /// The answer to what is no request.
  static func append(_ reply: HTTPReply, to buffer: inout ByteBuffer) {
    var body = ByteBuffer()
    body.append(reply.body)
    HTTPResponse.append(
      status: reply.status,
      headers: common(HTTPRequestID.make()) + [("Content-Type", reply.contentType)] + reply.headers,
      body: body.readable, persistence: .closes, to: &buffer)
  }
}

/// The name of a request in logs: `x-request-id` of whoever sent it, if it can be one.
enum HTTPRequestID {
  static let charactersLimit = 128

  static func of(_ head: HTTPRequestHead) -> String {
    let given = head.headers.all("x-request-id")
    guard given.count == 1, (1...charactersLimit).contains(given[0].utf8.count),
      given[0].utf8.allSatisfy(HTTPText.isToken)
    else { return make() }
    return given[0]
  }

  static func make() -> String {
    var bytes: (UInt64, UInt64) = (.random(in: .min ... .max), .random(in: .min ... .max))
    return withUnsafeBytes(of: &bytes) { Base64.encodeURLSafe($0) }
  }
}
