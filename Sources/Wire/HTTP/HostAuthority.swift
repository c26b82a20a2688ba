/// Whether a request's Host names this machine, so that no foreign name can be pointed at it (DNS rebinding).
public enum HostAuthority {
  /// An IP literal or `localhost`, with any port, or one of `allowed` (with or without its port).
  ///
  /// No name is looked up: a name that leads to this machine is an attacker's as easily as ours. A page can be rebound
  /// only to a name, never to a number.
  public static func isAllowed(_ host: String?, allowed: [String]) -> Bool {
    guard let host, let name = name(of: host) else { return false }
    if HTTPText.equalsWithoutCase(name, "localhost") || isIPv4(name) || isIPv6Literal(name) { return true }
    return allowed.contains { HTTPText.equalsWithoutCase($0, host) || HTTPText.equalsWithoutCase($0, name) }
  }

  /// Whether it is a host and a port (RFC 9110 §7.2, RFC 3986 §3.2.2), or empty: no user, path, second host, or port
  /// that is none. An encoded character and an IPv6 zone (RFC 6874) are refused: nobody sends them.
  static func isWellFormed(_ host: String) -> Bool {
    if host.isEmpty { return true }
    guard let name = name(of: host) else { return false }
    return isIPv6Literal(name) || (!name.isEmpty && name.utf8.allSatisfy(isNameByte))
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x2D, 0x2E, 0x5F, 0x7E, 0x21, 0x24, 0x26...0x2B, 0x3B, 0x3D: true
    default: false
    }
  }

  /// Without its port; nil: malformed.
  private static func name(of host: String) -> Substring? {
    if host.utf8.first == 0x5B {
      guard let bracket = host.utf8.firstIndex(of: 0x5D) else { return nil }
      let end = host.utf8.index(after: bracket)
      return end == host.endIndex || isPort(host[end...]) ? host[..<end] : nil
    }
    guard let colon = host.utf8.firstIndex(of: 0x3A) else { return host.isEmpty ? nil : host[...] }
    return isPort(host[colon...]) ? host[..<colon] : nil
  }

  private static func isPort(_ text: Substring) -> Bool {
    let digits = text.utf8.dropFirst()
    return text.utf8.first == 0x3A && (1...5).contains(digits.count)
      && digits.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } && UInt16(text.dropFirst()) != nil
  }

  private static func isIPv4(_ name: Substring) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } && UInt8(part) != nil
      }
  }

  private static func isIPv6Literal(_ name: Substring) -> Bool {
    guard name.utf8.first == 0x5B, name.utf8.last == 0x5D else { return false }
    let inside = name.utf8.dropFirst().dropLast()
    return inside.contains(0x3A)
      && inside.allSatisfy { $0 == 0x3A || $0 == 0x2E || HTTPText.hexValue($0) != nil }
  }
}

/// Whether a web page may connect (RFC 6454). Programs send no Origin and are not asked.
public enum Origin {
  public static func isAllowed(_ origins: [String], allowed: [String]) -> Bool {
    origins.allSatisfy { origin in allowed.contains { HTTPText.equalsWithoutCase($0, origin) } }
  }

  /// Whether a page with this origin was served by the host itself, which the request names as `host`.
  public static func isSame(_ origin: String, host: String, isSecure: Bool) -> Bool {
    !host.isEmpty && HTTPText.equalsWithoutCase(origin, (isSecure ? "https://" : "http://") + host)
  }
}
