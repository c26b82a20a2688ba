import Glibc

/// What a text of the configuration must look like.
struct TextFormat: Sendable {
  /// "an http or https URL"; what errors say was expected.
  let expected: String
  let accepts: @Sendable (String) -> Bool
  /// An error must not show the value: it may hold a password.
  var hidesValue = false

  /// Anything without control characters.
  static let plain = TextFormat(expected: "a text without control characters") { text in
    text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
  }

  /// A path; relative ones are resolved against the file.
  static let path = TextFormat(expected: "a path") { plain.accepts($0) }

  /// `in-process`-like names that appear in metrics and URLs.
  static let identifier = TextFormat(expected: "lower-case letters, digits, '-', '_' and '.'") { text in
    text.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
      case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
      default: false
      }
    }
  }

  static let sha256 = TextFormat(expected: "64 hexadecimal digits") { text in
    text.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): true
      default: false
      }
    }
  }

  /// What a file may be given: its owner must be able to write to it.
  static let mode = TextFormat(expected: "a 0 and three octal digits, the first 6 or 7, such as \"0660\"") { text in
    let digits = Array(text.utf8)
    return digits.count == 4 && digits[0] == 0x30 && (0x36...0x37).contains(digits[1])
      && digits[2...].allSatisfy { (0x30...0x37).contains($0) }
  }

  static let address = TextFormat(
    expected: "\"IP:PORT\", \"[IPv6]:PORT\" or \"unix:/path\"; an address, not a name"
  ) { text in
    // A relative socket path is resolved first; `Configuration.check` looks at the whole of it.
    if text.hasPrefix("unix:") { return text.utf8.count > 5 && plain.accepts(text) }
    return (try? BindAddress(parsing: text)) != nil
  }

  /// A base to which paths are appended.
  static let url = TextFormat(
    expected: "an http or https URL without user, query and fragment", accepts: { WebAddress($0) != nil },
    hidesValue: true)

  static let origin = TextFormat(
    expected: "\"http://HOST\" or \"https://HOST:PORT\", nothing after it", accepts: { WebAddress($0)?.path == "" },
    hidesValue: true)

  /// What a browser sends as Origin; "null" only by its name.
  static let browserOrigin = TextFormat(
    expected: "\"http://HOST\" or \"https://HOST:PORT\", nothing after it, or \"null\"",
    accepts: { $0 == "null" || WebAddress($0)?.path == "" }, hidesValue: true)

  static let host = TextFormat(expected: "a host name without a port") { WebAddress.isHostName($0) }
}

/// An http or https URL in its parts; without user, query and fragment.
struct WebAddress: Equatable {
  let authority: Substring
  /// Empty or from the first slash on.
  let path: Substring

  init?(_ text: String) {
    let rest: Substring
    if text.hasPrefix("https://") {
      rest = text.dropFirst(8)
    } else if text.hasPrefix("http://") {
      rest = text.dropFirst(7)
    } else {
      return nil
    }
    // Printable ASCII only: no space, and nothing that would end a header or hide a host.
    guard rest.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !"?#@\\\"<>".utf8.contains($0) }) else { return nil }
    let end = rest.firstIndex(of: "/") ?? rest.endIndex
    authority = rest[..<end]
    path = rest[end...]
    var host = authority
    if host.hasPrefix("[") {
      guard let bracket = host.firstIndex(of: "]") else { return nil }
      var address = in6_addr()
      guard inet_pton(AF_INET6, String(host[host.index(after: host.startIndex)..<bracket]), &address) == 1 else {
        return nil
      }
      let port = host[host.index(after: bracket)...]
      guard port.isEmpty || (port.hasPrefix(":") && Self.isPort(port.dropFirst())) else { return nil }
      return
    }
    if let colon = host.lastIndex(of: ":") {
      guard Self.isPort(host[host.index(after: colon)...]) else { return nil }
      host = host[..<colon]
    }
    guard Self.isHostName(String(host)) else { return nil }
  }

  static func isHostName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 253
      && text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  private static func isPort(_ text: Substring) -> Bool {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (UInt16(text) ?? 0) > 0
  }
}
