import Decisions
import Wire

/// What is asked of every request of a listener, and which face answers it.
///
/// Host and Origin are checked before anything else, so that no web page reaches the host through its visitor's
/// browser (DNS rebinding, cross-site WebSocket hijacking). Thread: the loop's.
final class HTTPRouter: HTTPResponder {
  let loop: HostLoop
  let serves: Configuration.Services
  /// A connection limit that was reached: who asks for a WebSocket is told with a close frame.
  let refusal: Census.Refusal?

  init(loop: HostLoop, serves: Configuration.Services, refusal: Census.Refusal?) {
    self.loop = loop
    self.serves = serves
    self.refusal = refusal
  }

  func decide(_ head: HTTPRequestHead) -> HTTPDecision {
    let auth = loop.configuration.auth
    guard HostAuthority.isAllowed(head.headers["host"], allowed: auth.hosts) else {
      return .reply(.refused(403, "the Host header is not an IP address, localhost or one of auth.hosts"))
    }
    guard isHealth(head.path) || Origin.isAllowed(head.headers.all("origin"), allowed: auth.origins) else {
      return .reply(.refused(403, "the Origin header is not one of auth.origins"))
    }
    switch WebSocketHandshake.check(head) {
    case .upgrade(let accept): return upgrade(head, accept: accept)
    case .refused(let status, let reason, let headers):
      return .reply(.refused(status, reason, headers: headers.map { ($0.name, $0.value) }))
    case .notAnUpgrade:
      var reply = plainReply(to: head)
      reply.headers += crossOriginHeaders(head)
      // It has no place here but to be told so.
      if refusal != nil { reply.closes = true }
      return .reply(reply)
    }
  }

  private func isHealth(_ path: String) -> Bool { serves.contains(.health) && HealthFace.paths.contains(path) }

  // MARK: - Without an upgrade

  private static let known: Set = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"]

  private func plainReply(to head: HTTPRequestHead) -> HTTPReply {
    if let refusal, !HealthFace.openPaths.contains(head.path) { return overLimit(refusal) }
    let allow = [("Allow", "GET, HEAD, OPTIONS")]
    switch head.method {
    case "OPTIONS": return HTTPReply(status: 204, body: "", headers: allow)
    case "GET", "HEAD": break
    case let other where Self.known.contains(other):
      return .error(405, "only GET, HEAD and OPTIONS are answered here", headers: allow)
    default: return .error(501, "there is no such method", headers: allow)
    }
    if let page = page(at: head.path) {
      guard HealthFace.openPaths.contains(head.path) || isAuthorized(head) else {
        return .refused(
          401, "a bearer token of a viewer or admin is needed", headers: [("WWW-Authenticate", "Bearer")])
      }
      return page(loop)
    }
    guard serves.contains(.websocket), head.path == "/" || head.path == "/ws" else {
      return .error(404, "nothing is served at this path")
    }
    return .error(
      426, "this is a WebSocket address; connect with ws:// and send {\"op\":\"hello\"} first",
      headers: [("Upgrade", "websocket")])
  }

  private func overLimit(_ refusal: Census.Refusal) -> HTTPReply {
    var reply: HTTPReply
    switch refusal {
    case .connections(let limit): reply = .refused(503, "limits.connections reached: \(limit)")
    case .connectionsPerAddress(let limit): reply = .refused(429, "limits.connections_per_address reached: \(limit)")
    }
    reply.closes = true
    return reply
  }

  /// Who answers this path on this listener; nil: nobody.
  private func page(at path: String) -> ((HostLoop) -> HTTPReply)? {
    if serves.contains(.monitor), path == "/" { return { StatusPage(loop: $0).reply } }
    guard isHealth(path) else { return nil }
    return { HealthFace(loop: $0).reply(to: path) ?? .error(404, "nothing is served at this path") }
  }

  /// Which web pages may read the answer: any that of a health path, a configured one the rest. None is let send
  /// cookies along, which the host has no use for.
  private func crossOriginHeaders(_ head: HTTPRequestHead) -> [(String, String)] {
    var headers: [(String, String)] = []
    if isHealth(head.path) {
      headers = [("Access-Control-Allow-Origin", "*")]
    } else if let origin = head.headers["origin"] {
      headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
    }
    guard head.method == "OPTIONS", !headers.isEmpty else { return headers }
    return headers + [
      ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
      ("Access-Control-Allow-Headers", "Authorization, X-Request-Id"), ("Access-Control-Max-Age", "600"),
    ]
  }

  private func isAuthorized(_ head: HTTPRequestHead) -> Bool {
    let principals = loop.services.principals
    if principals.isOpen { return true }
    guard let tokens = try? PresentedTokens(head), let principal = try? tokens.principal(of: principals) else {
      return false
    }
    return principal.role != .client
  }
}
