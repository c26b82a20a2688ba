import Bytes
import Wire

/// The tokens that a request brings along: `Authorization: Bearer TOKEN`, and for browsers, which can set no header on a
/// WebSocket, a subprotocol `bearer.TOKEN` with the token in base64url beside the subprotocol `patchbay`.
struct PresentedTokens: Equatable {
  /// Why a request's tokens are none: the status it is answered with.
  struct Malformed: Error, Equatable {
    var status = 401
    var reason: String
  }

  /// What a client of the native protocol names, and the only subprotocol that is ever selected: never a token.
  static let subprotocol = "patchbay"
  private static let prefix = "bearer."

  /// At most two.
  private(set) var tokens: [String] = []
  /// Whether the client offers `patchbay`, which is then selected.
  private(set) var offersSubprotocol = false

  init(_ head: HTTPRequestHead) throws(Malformed) {
    try readAuthorization(head.headers.all("authorization"))
    try readSubprotocols(head.headers.all("sec-websocket-protocol"))
  }

  /// Another scheme is no business of ours: a proxy in front may ask for a password.
  private mutating func readAuthorization(_ values: [String]) throws(Malformed) {
    let bearers = values.compactMap { value -> Substring? in
      let scheme = value.prefix { $0 != " " }
      guard HTTPText.equalsWithoutCase(scheme, "bearer") else { return nil }
      return value[scheme.endIndex...].drop { $0 == " " }
    }
    guard bearers.count <= 1 else { throw Malformed(reason: "more than one bearer token in Authorization") }
    if let token = bearers.first { tokens.append(String(token)) }
  }

  private mutating func readSubprotocols(_ values: [String]) throws(Malformed) {
    var bearers: [Substring] = []
    for value in values {
      for item in value.split(separator: ",", omittingEmptySubsequences: false) {
        let name = HTTPText.trimmed(item)
        guard !name.isEmpty, name.utf8.allSatisfy(HTTPText.isToken) else {
          throw Malformed(status: 400, reason: "Sec-WebSocket-Protocol is not a list of names")
        }
        if name == Self.subprotocol { offersSubprotocol = true }
        if name.hasPrefix(Self.prefix) { bearers.append(name.dropFirst(Self.prefix.count)) }
      }
    }
    guard let bearer = bearers.first else { return }
    guard bearers.count == 1 else { throw Malformed(reason: "more than one bearer token in Sec-WebSocket-Protocol") }
    // A browser gives a connection up on which none of the subprotocols that it offered was selected.
    guard offersSubprotocol else {
      throw Malformed(status: 400, reason: "Sec-WebSocket-Protocol needs \"\(Self.subprotocol)\" beside the token")
    }
    let bytes = Array(bearer.utf8).withUnsafeBytes { Base64.decodeURLSafe($0) }
    guard let bytes, let token = String(validating: bytes, as: UTF8.self) else {
      throw Malformed(reason: "the token in Sec-WebSocket-Protocol is not base64url")
    }
    tokens.append(token)
  }

  /// Whose tokens they are. nil: there is none, or nobody needs one. Throws when one of them is wrong: a client that
  /// shows two keys of which one does not fit is not let in by the other.
  func principal(of principals: Principals) throws(Malformed) -> Principals.Principal? {
    guard !principals.isOpen else { return nil }
    var found: Principals.Principal?
    for token in tokens {
      guard let principal = principals.principal(withToken: token), found == nil || found == principal else {
        throw Malformed(reason: "the token is not one of auth.principals")
      }
      found = principal
    }
    return found
  }
}
