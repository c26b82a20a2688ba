import Bytes
import JSON
import Wire

/// What a fresh connection speaks: one HTTP request, which upgrades to WebSocket or is answered and closed.
///
/// Host and Origin are checked before anything else, so that no web page reaches the host through its visitor's
/// browser (DNS rebinding, cross-site WebSocket hijacking). Thread: the loop's.
final class HTTPFront: ConnectionHandler, TimerTarget {
  private let connection: Connection
  private let refusal: Census.Refusal?
  private var parser: HTTPRequestParser
  private var timer: TimerID?
  private var isDone = false

  /// - Parameter refusal: a connection limit that was reached: the client is told why with a close frame.
  init(connection: Connection, refusal: Census.Refusal?) {
    self.connection = connection
    self.refusal = refusal
    parser = HTTPRequestParser()
    timer = connection.loop.eventLoop.schedule(
      at: connection.loop.now.advanced(
        milliseconds: connection.loop.configuration.timeouts.helloMilliseconds), self, tag: 0)
  }

  func received(_ buffer: inout ByteBuffer, on connection: Connection) {
    guard !isDone else { return buffer.removeAll() }
    do {
      guard let head = try parser.next(&buffer) else { return }
      answer(head)
    } catch {
      respond(error.status, error.reason)
    }
  }

  private func answer(_ head: HTTPRequestHead) {
    let auth = connection.loop.configuration.auth
    guard HostAuthority.isAllowed(head.headers["host"], allowed: auth.hosts) else {
      return respond(403, "the Host header is not an IP address, localhost or one of auth.hosts")
    }
    guard Origin.isAllowed(head.headers.all("origin"), allowed: auth.origins) else {
      return respond(403, "the Origin header is not one of auth.origins")
    }
    switch WebSocketHandshake.check(head) {
    case .upgrade(let accept):
      guard head.path == "/" || head.path == "/ws" else {
        return respond(404, "there is no WebSocket at this path; use / or /ws")
      }
      upgrade(accept)
    case .refused(let status, let reason, let headers):
      respond(status, reason, headers: headers.map { ($0.name, $0.value) })
    case .notAnUpgrade:
      answerPlain(head)
    }
  }

  private func answerPlain(_ head: HTTPRequestHead) {
    switch head.method {
    case "OPTIONS":
      respond(204, nil, headers: [("Allow", "GET, HEAD, OPTIONS")])
    case "GET", "HEAD":
      let isSocketPath = head.path == "/" || head.path == "/ws"
      respond(
        isSocketPath ? 426 : 404,
        isSocketPath
          ? "this is a WebSocket address; connect with ws:// and send {\"op\":\"hello\"} first"
          : "nothing is served at this path; the WebSocket is at / and /ws",
        headers: isSocketPath ? [("Upgrade", "websocket")] : [], withBody: head.method == "GET")
    default:
      respond(405, "only GET is answered here", headers: [("Allow", "GET, HEAD, OPTIONS")])
    }
  }

  private func upgrade(_ accept: String) {
    end()
    WebSocketHandshake.appendResponse(accept: accept, to: &connection.outbound)
    connection.outboundChanged()
    let link = WebSocketLink(
      connection: connection, messageBytesLimit: connection.loop.configuration.limits.frameBytes)
    connection.hand(to: link)
    let session = NativeSession(link: link)
    link.start(session)
    switch refusal {
    case nil: session.awaitHello()
    case .connections(let limit):
      link.close(code: 1008, reason: "limits.connections reached: \(limit)")
    case .connectionsPerAddress(let limit):
      link.close(code: 1008, reason: "limits.connections_per_address reached: \(limit)")
    }
    if connection.loop.isDraining { link.close(code: 1012, reason: "the host is shutting down") }
  }

  private func respond(_ status: Int, _ reason: String?, headers: [(String, String)] = [], withBody: Bool = true) {
    end()
    var body = ByteBuffer()
    if let reason {
      body.append("{\"error\":{\"status\":")
      body.appendDecimal(status)
      body.append(",\"message\":")
      body.appendJSON(string: reason)
      body.append("}}\n")
    }
    HTTPResponse.append(
      status: status, headers: [("Content-Type", "application/json")] + headers,
      body: withBody ? body.readable : UnsafeRawBufferPointer(start: nil, count: 0), keepsAlive: false,
      to: &connection.outbound)
    connection.finish()
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    respond(408, "no complete HTTP request came in time")
  }

  private func end() {
    isDone = true
    if let timer { _ = connection.loop.eventLoop.cancel(timer) }
    timer = nil
  }

  func backlogCleared() {}
  func drain(isOver: Bool) { if !isDone { respond(503, "the host is shutting down") } }
  func connectionClosed() { end() }
}
