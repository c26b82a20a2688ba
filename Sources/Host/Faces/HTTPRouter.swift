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
  /// Whether its connection speaks TLS.
  private let isSecure: Bool

  init(loop: HostLoop, serves: Configuration.Services, refusal: Census.Refusal?, isSecure: Bool = false) {
    self.isSecure = isSecure
    self.loop = loop
    self.serves = serves
    self.refusal = refusal
  }

  func decide(_ head: HTTPRequestHead) -> HTTPDecision {
    let auth = loop.configuration.auth
    guard HostAuthority.isAllowed(head.headers["host"], allowed: auth.hosts) else {
      return .reply(.refused(403, "the Host header is not an IP address, localhost or one of auth.hosts"))
    }
    let route = Route.at(head.path, of: serves)
    guard
      route?.isForAnyOrigin == true || Origin.isAllowed(head.headers.all("origin"), allowed: auth.origins)
        || (route != nil && isOwnPage(head))
    else {
      return .reply(.refused(403, "the Origin header is not one of auth.origins"))
    }
    switch WebSocketHandshake.check(head) {
    case .upgrade(let accept): return upgrade(head, accept: accept)
    case .refused(let status, let reason, let headers):
      return .reply(.refused(status, reason, headers: headers.map { ($0.name, $0.value) }))
    case .notAnUpgrade: return finished(plainDecision(head, route), head, route)
    }
  }

  /// A page that this listener served asks for something beside it. A WebSocket is for configured origins only.
  private func isOwnPage(_ head: HTTPRequestHead) -> Bool {
    // Browsers say their Origin with POST, and with GET when they fetch a module of a script.
    ["GET", "HEAD", "POST"].contains(head.method) && head.headers["upgrade"] == nil
      && head.headers.all("origin").allSatisfy {
        Origin.isSame($0, host: head.headers["host"] ?? "", isSecure: isSecure)
      }
  }

  /// A reply with the headers that every one of them has.
  private func finished(_ decision: HTTPDecision, _ head: HTTPRequestHead, _ route: Route?) -> HTTPDecision {
    guard case .reply(var reply) = decision else { return decision }
    reply.headers += crossOriginHeaders(head, route)
    // It has no place here but to be told so.
    if refusal != nil { reply.closes = true }
    return .reply(reply)
  }

  // MARK: - Without an upgrade

  private static let known: Set = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"]

  private func plainDecision(_ head: HTTPRequestHead, _ route: Route?) -> HTTPDecision {
    if let refusal, !HealthFace.openPaths.contains(head.path) { return .reply(overLimit(refusal)) }
    let allow = [("Allow", route?.allowed ?? "GET, HEAD, OPTIONS")]
    guard Self.known.contains(head.method) else {
      return .reply(.error(501, "there is no such method", headers: allow))
    }
    if head.method == "OPTIONS" { return .reply(HTTPReply(status: 204, body: "", headers: allow)) }
    guard let route else { return .reply(unserved(head)) }
    guard route.allows(head.method) else {
      return .reply(.error(405, "only \(route.allowed) are answered here", headers: allow))
    }
    if let refusal = denial(head, of: route.access) { return .reply(refusal) }
    return route.answer(head, loop)
  }

  private func unserved(_ head: HTTPRequestHead) -> HTTPReply {
    guard head.method == "GET" || head.method == "HEAD" else {
      return .error(405, "only GET, HEAD and OPTIONS are answered here", headers: [("Allow", "GET, HEAD, OPTIONS")])
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

  /// Which web pages may read the answer: any that of a health path, a configured one the rest. None is let send
  /// cookies along, which the host has no use for.
  private func crossOriginHeaders(_ head: HTTPRequestHead, _ route: Route?) -> [(String, String)] {
    var headers: [(String, String)] = []
    if route?.isForAnyOrigin == true {
      headers = [("Access-Control-Allow-Origin", "*")]
    } else if let origin = head.headers["origin"] {
      headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
    }
    guard head.method == "OPTIONS", !headers.isEmpty else { return headers }
    return headers + [
      ("Access-Control-Allow-Methods", route?.allowed ?? "GET, HEAD, OPTIONS"),
      ("Access-Control-Allow-Headers", "Authorization, X-Request-Id"), ("Access-Control-Max-Age", "600"),
    ]
  }

  /// nil: whoever asks may.
  private func denial(_ head: HTTPRequestHead, of access: Route.Access) -> HTTPReply? {
    if access == .open { return nil }
    guard let caller = Caller(head, loop.services) else {
      let who = access == .admin ? "an admin" : "a viewer or admin"
      return .refused(401, "a bearer token of \(who) is needed", headers: [("WWW-Authenticate", "Bearer")])
    }
    guard access == .admin, !caller.mayOperate else { return nil }
    return .refused(403, "\(caller.principal?.name ?? "") is no admin")
  }
}
