/// Whether a request's Host names this machine, so that no foreign name can be pointed at it (DNS rebinding).
public enum HostAuthority {
  /// An IP literal or `localhost`, with any port, or one of `allowed` (with or without its port).
  public static func isAllowed(_ host: String?, allowed: [String]) -> Bool {
    guard let host = host?.lowercased(), let name = name(of: host) else { return false }
    if name == "localhost" || isIPv4(name) || isIPv6Literal(name) { return true }
    return allowed.contains { $0.lowercased() == host || $0.lowercased() == name }
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
    text.first == ":" && text.utf8.count > 1 && UInt16(text.dropFirst()) != nil && !text.contains("+")
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
