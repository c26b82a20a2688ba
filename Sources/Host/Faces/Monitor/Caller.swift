import Bytes
import Decisions
import Wire

/// Who asks at a path that is not for everybody: by a bearer token, by the cookie of a login, or anybody where nobody
/// needs a token.
struct Caller: Sendable {
  enum Proof: Sendable, Equatable {
    /// No principal is configured.
    case none
    case token(Principals.Principal)
    case login(Logins.Login)
  }

  let proof: Proof

  /// nil: nobody whom the monitor shows anything. A wrong token is not made good by a cookie.
  init?(_ head: HTTPRequestHead, _ services: HostServices) {
    let principals = services.principals
    if principals.isOpen {
      proof = .none
    } else if let tokens = try? PresentedTokens(head), let principal = try? tokens.principal(of: principals) {
      proof = .token(principal)
    } else if head.headers["authorization"] == nil, let cookie = LoginCookie.value(in: head),
      let login = services.monitor.logins.find(cookie, now: .now()), principals.accepts(login)
    {
      proof = .login(login)
    } else {
      return nil
    }
    guard principal?.role != .client else { return nil }
  }

  /// nil: nobody needs a token.
  var principal: Principals.Principal? {
    switch proof {
    case .none: nil
    case .token(let principal): principal
    case .login(let login): login.principal
    }
  }

  /// Whether it may do what changes the host.
  var mayOperate: Bool { principal.map { $0.role == .admin } ?? true }

  /// As the feed names it.
  var role: String {
    guard let principal else { return "open" }
    return principal.role == .admin ? "admin" : "viewer"
  }

  /// What its actions must bring along.
  func formToken(_ services: HostServices) -> String {
    let identity =
      switch proof {
      case .none: "open"
      case .token(let principal): "token \(principal.name)"
      case .login(let login): "login \(login.digest.withUnsafeBytes { Base64.encodeURLSafe($0) })"
      }
    return services.monitor.logins.formToken(of: identity)
  }

  /// Whether what let it in still does: configurations change, logins end.
  func isStillWelcome(_ services: HostServices) -> Bool {
    let principals = services.principals
    switch proof {
    case .none: return principals.isOpen
    case .token(let principal): return principals.knows(principal)
    case .login(let login):
      return principals.accepts(login) && services.monitor.logins.holds(login, now: .now())
    }
  }
}

/// The cookie of a login. Its name has the port in it: browsers keep one set of cookies for all ports of a machine.
enum LoginCookie {
  static func name(for head: HTTPRequestHead) -> String {
    let host = head.headers["host"] ?? ""
    let port =
      host.utf8.last == 0x5D ? "" : host.split(separator: ":").last.flatMap { UInt16($0) }.map { "\($0)" } ?? ""
    return "patchbay\(port)"
  }

  /// RFC 6265 §5.4. nil: there is none.
  static func value(in head: HTTPRequestHead) -> String? {
    let name = name(for: head)
    for field in head.headers.all("cookie") {
      for pair in field.split(separator: ";") {
        let parts = pair.split(separator: "=", maxSplits: 1)
        if parts.count == 2, HTTPText.trimmed(parts[0]) == name { return HTTPText.trimmed(parts[1]) }
      }
    }
    return nil
  }

  /// The header that sets it, or takes it back.
  static func header(_ value: String?, for head: HTTPRequestHead, isSecure: Bool) -> (String, String) {
    let life = value == nil ? 0 : Logins.lifeMilliseconds / 1000
    return (
      "Set-Cookie",
      "\(name(for: head))=\(value ?? ""); Path=/; Max-Age=\(life); HttpOnly; SameSite=Strict"
        + (isSecure ? "; Secure" : "")
    )
  }
}
