/// Scheme, host and port of a URL: what a provider may reach (the service must not be a way into the operator's
/// network).
///
/// Deliberately narrower than RFC 3986: what another parser might read differently is refused.
package struct UpstreamOrigin: Hashable, Sendable {
  package var scheme: String
  /// In lower case; an IPv6 address with its brackets.
  package var host: String
  package var port: UInt16

  /// nil: not an absolute http or https URL, with user information, or with characters that do not belong there.
  package init?(_ url: some StringProtocol) {
    let bytes = Array(url.utf8)
    guard bytes.count <= 8192, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C }) else { return nil }
    guard let colon = bytes.firstIndex(of: 0x3A), bytes[colon...].starts(with: "://".utf8) else { return nil }
    scheme = Self.lowercased(bytes[..<colon])
    guard scheme == "http" || scheme == "https" else { return nil }
    let authority = bytes[(colon + 3)...].prefix { $0 != 0x2F && $0 != 0x3F && $0 != 0x23 }
    guard let (host, port) = Self.hostAndPort(authority) else { return nil }
    self.host = host
    guard let port else {
      self.port = scheme == "https" ? 443 : 80
      return
    }
    self.port = port
  }

  /// What reads back as this.
  package var url: String { "\(scheme)://\(host):\(port)" }

  private static func hostAndPort(_ authority: ArraySlice<UInt8>) -> (host: String, port: UInt16?)? {
    let hostEnd: Int
    if authority.first == 0x5B {
      guard let bracket = authority.firstIndex(of: 0x5D) else { return nil }
      let address = authority[(authority.startIndex + 1)..<bracket]
      guard !address.isEmpty, address.allSatisfy({ isHex($0) || $0 == 0x3A || $0 == 0x2E }) else { return nil }
      hostEnd = bracket + 1
    } else {
      hostEnd = authority.firstIndex(of: 0x3A) ?? authority.endIndex
      let name = authority[..<hostEnd]
      guard !name.isEmpty, name.count <= 253, name.allSatisfy(isNameByte) else { return nil }
    }
    let host = lowercased(authority[..<hostEnd])
    guard hostEnd < authority.endIndex else { return (host, nil) }
    let digits = authority[(hostEnd + 1)...]
    guard authority[hostEnd] == 0x3A, (1...5).contains(digits.count),
      digits.allSatisfy({ (0x30...0x39).contains($0) }),
      let port = UInt16(String(decoding: digits, as: UTF8.self)), port > 0
    else { return nil }
    return (host, port)
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D
      || byte == 0x2E || byte == 0x5F
  }

  private static func lowercased(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
  }
}
