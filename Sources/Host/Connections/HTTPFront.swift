import Bytes
import Decisions
import Wire

/// What a fresh connection speaks: one HTTP request, which upgrades to WebSocket or is answered and closed.
///
/// Host and Origin are checked before anything else, so that no web page reaches the host through its visitor's
/// browser (DNS rebinding, cross-site WebSocket hijacking). Thread: the loop's.
final class HTTPFront: ConnectionHandler, TimerTarget {
  private let connection: Connection
  private let refusal: Census.Refusal?
  private let serves: Configuration.Services
  private var parser: HTTPRequestParser
  private var timer: TimerID?
  private var isDone = false

  /// - Parameters:
  ///   - serves: what the listener answers.
  ///   - refusal: a connection limit that was reached: the client is told why with a close frame.
  init(connection: Connection, serves: Configuration.Services, refusal: Census.Refusal?) {
    self.serves = serves
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
      // A client that does not wait for the 101 has sent its first frames behind the request.
      answer(head)?.received(&buffer, on: connection)
    } catch {
      respond(.error(error.status, error.reason))
    }
  }

  /// Returns who goes on with the connection when it was upgraded.
  private func answer(_ head: HTTPRequestHead) -> WebSocketLink? {
    switch decide(head) {
    case .upgrade(let accept): return upgrade(accept)
    case .reply(let reply):
      respond(reply, withBody: head.method != "HEAD")
      return nil
    }
  }

  private enum Decision {
    case upgrade(accept: String)
    case reply(HTTPReply)
  }

  private func decide(_ head: HTTPRequestHead) -> Decision {
    let auth = connection.loop.configuration.auth
    guard HostAuthority.isAllowed(head.headers["host"], allowed: auth.hosts) else {
      return .reply(.error(403, "the Host header is not an IP address, localhost or one of auth.hosts"))
    }
    // The health paths say nothing that a page might not know, and answer with CORS for all.
    let isHealth = serves.contains(.health) && HealthFace.paths.contains(head.path)
    guard isHealth || Origin.isAllowed(head.headers.all("origin"), allowed: auth.origins) else {
      return .reply(.error(403, "the Origin header is not one of auth.origins"))
    }
    switch WebSocketHandshake.check(head) {
    case .upgrade(let accept):
      guard serves.contains(.websocket) else {
        return .reply(.error(426, "this listener serves no WebSocket; see listeners[].serves"))
      }
      guard head.path == "/" || head.path == "/ws" else {
        return .reply(.error(404, "there is no WebSocket at this path; use / or /ws"))
      }
      return .upgrade(accept: accept)
    case .refused(let status, let reason, let headers):
      return .reply(.error(status, reason, headers: headers.map { ($0.name, $0.value) }))
    case .notAnUpgrade:
      return .reply(plainReply(to: head))
    }
  }

  private func plainReply(to head: HTTPRequestHead) -> HTTPReply {
    let allow = [("Allow", "GET, HEAD, OPTIONS")]
    switch head.method {
    case "OPTIONS": return HTTPReply(status: 204, body: "", headers: allow)
    case "GET", "HEAD": break
    default: return .error(405, "only GET is answered here", headers: allow)
    }
    if let page = page(at: head.path) {
      guard HealthFace.openPaths.contains(head.path) || isAuthorized(head) else {
        return .error(
          401, "a bearer token of a principal is needed", headers: [("WWW-Authenticate", "Bearer")])
      }
      return page(connection.loop)
    }
    guard serves.contains(.websocket), head.path == "/" || head.path == "/ws" else {
      return .error(404, "nothing is served at this path")
    }
    return .error(
      426, "this is a WebSocket address; connect with ws:// and send {\"op\":\"hello\"} first",
      headers: [("Upgrade", "websocket")])
  }

  /// Who answers this path on this listener; nil: nobody.
  private func page(at path: String) -> ((HostLoop) -> HTTPReply)? {
    if serves.contains(.monitor), path == "/" { return { StatusPage(loop: $0).reply } }
    guard serves.contains(.health), HealthFace.paths.contains(path) else { return nil }
    return { HealthFace(loop: $0).reply(to: path) ?? .error(404, "nothing is served at this path") }
  }

  private func isAuthorized(_ head: HTTPRequestHead) -> Bool {
    let principals = connection.loop.services.principals
    if principals.isOpen { return true }
    guard let header = head.headers["authorization"], header.lowercased().hasPrefix("bearer ") else { return false }
    guard let principal = principals.principal(withToken: String(header.dropFirst(7))) else { return false }
    return principal.role != .client
  }

  private func upgrade(_ accept: String) -> WebSocketLink {
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
    return link
  }

  private func respond(_ reply: HTTPReply, withBody: Bool = true) {
    end()
    var body = ByteBuffer()
    if withBody { body.append(reply.body) }
    let headers = reply.body.isEmpty ? reply.headers : [("Content-Type", reply.contentType)] + reply.headers
    HTTPResponse.append(
      status: reply.status, headers: headers, body: body.readable, keepsAlive: false, to: &connection.outbound)
    connection.finish()
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    respond(.error(408, "no complete HTTP request came in time"))
  }

  private func end() {
    isDone = true
    if let timer { _ = connection.loop.eventLoop.cancel(timer) }
    timer = nil
  }

  func backlogCleared() {}
  var heldBytes: Int { 0 }
  func shed(_ reason: String) { if !isDone { respond(.error(503, reason)) } }
  func sweep() {}
  func drain(isOver: Bool) { if !isDone { respond(.error(503, "the host is shutting down")) } }
  func connectionClosed() { end() }
}
