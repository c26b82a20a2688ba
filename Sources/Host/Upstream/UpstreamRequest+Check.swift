import CProviderABI

extension UpstreamRequest {
  /// Refuses what must not reach the wire, and says whom the request is for: `api.example.com:443`.
  func checked() throws(ProviderFailure) -> String {
    guard !method.isEmpty, method.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
      throw Self.invalid("the method must be capital letters")
    }
    for header in headers { try Self.check(header) }
    if let credential { try Self.check(credential) }
    return try Self.authority(of: url)
  }

  /// A line break in a header would make two of it; lengths are the transfer's own matter.
  private static func check(_ header: (name: String, value: String)) throws(ProviderFailure) {
    guard !header.name.isEmpty, header.name.utf8.allSatisfy(isTokenByte) else {
      throw invalid("a header's name is no token (RFC 9110 section 5.6.2)")
    }
    guard !header.value.utf8.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) else {
      throw invalid("the value of header \(header.name) contains control characters")
    }
    if header.name.isEqualHeaderName("content-length") || header.name.isEqualHeaderName("transfer-encoding") {
      throw invalid("header \(header.name) is set by the host")
    }
  }

  private static func authority(of url: String) throws(ProviderFailure) -> String {
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x5C }) else {
      throw invalid("the URL contains spaces, backslashes or control characters")
    }
    guard let separator = url.firstRange(ofText: "://") else { throw invalid("the URL is not absolute") }
    let scheme = url[..<separator.lowerBound]
    let port: String
    if scheme.isEqualHeaderName("http") {
      port = "80"
    } else if scheme.isEqualHeaderName("https") {
      port = "443"
    } else {
      throw invalid("the URL's scheme is neither http nor https")
    }
    let authority = url[separator.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    // What looks like a name before the @ is read as a host by some and as a user by others.
    guard !authority.contains("@") else { throw invalid("the URL contains a user name; give the key as a header") }
    let afterBracket = authority.lastIndex(of: "]").map { authority[$0...] } ?? authority
    guard let colon = afterBracket.lastIndex(of: ":") else {
      guard !authority.isEmpty else { throw invalid("the URL names no host") }
      return "\(authority):\(port)"
    }
    let digits = afterBracket[afterBracket.index(after: colon)...]
    guard colon > authority.startIndex, UInt16(digits) != nil else { throw invalid("the URL's port is no port") }
    return String(authority)
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
      UInt8(ascii: "|"), UInt8(ascii: "~"):
      true
    default: false
    }
  }

  private static func invalid(_ reason: String) -> ProviderFailure {
    ProviderFailure(status: PRV_E_INVALID_ARGUMENT, message: "cannot make the HTTP request: \(reason)")
  }
}

extension String {
  fileprivate func firstRange(ofText text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
