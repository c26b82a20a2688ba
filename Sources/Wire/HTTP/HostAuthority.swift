/// Whether a request's Host names this machine, so that no foreign name can be pointed at it (DNS rebinding).
public enum HostAuthority {
  /// An IP literal or `localhost`, with any port, or one of `allowed` (with or without its port).
  public static func isAllowed(_ host: String?, allowed: [String]) -> Bool {
    guard let host = host?.lowercased(), let name = name(of: host) else { return false }
    if name == "localhost" || isIPv4(name) || isIPv6Literal(name) { return true }
    return allowed.contains { $0.lowercased() == host || $0.lowercased() == name }
  }

  /// Whether its characters may be in a host and a port (RFC 3986 §3.2.2): no user, path or second host.
  static func isWellFormed(_ host: String) -> Bool {
    host.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
      case 0x2D, 0x2E, 0x5F, 0x7E, 0x25, 0x3A, 0x5B, 0x5D, 0x21, 0x24, 0x26...0x2B, 0x3B, 0x3D: true
      default: false
      }
    }
  }

  /// Without its port; nil: malformed.
  private static func name(of host: String) -> String? {
    if host.hasPrefix("[") {
      guard let bracket = host.firstIndex(of: "]") else { return nil }
      let rest = host[host.index(after: bracket)...]
      guard rest.isEmpty || isPort(rest) else { return nil }
      return String(host[...bracket])
    }
    guard let colon = host.firstIndex(of: ":") else { return host.isEmpty ? nil : host }
    guard isPort(host[colon...]) else { return nil }
    return String(host[..<colon])
  }

  private static func isPort(_ text: Substring) -> Bool {
    let digits = text.utf8.dropFirst()
    return text.first == ":" && (1...5).contains(digits.count) && digits.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
      && UInt16(text.dropFirst()) != nil
  }

  private static func isIPv4(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } && UInt8(part) != nil
      }
  }

  private static func isIPv6Literal(_ name: String) -> Bool {
    guard name.hasPrefix("["), name.hasSuffix("]") else { return false }
    let inside = name.dropFirst().dropLast().utf8
    return inside.contains(0x3A)
      && inside.allSatisfy { byte in
        byte == 0x3A || byte == 0x2E || (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
      }
  }
}

/// Whether a web page may connect (RFC 6454). Programs send no Origin and are not asked.
public enum Origin {
  public static func isAllowed(_ origins: [String], allowed: [String]) -> Bool {
    origins.allSatisfy { origin in allowed.contains { $0.lowercased() == origin.lowercased() } }
  }
}
