/// `METHOD TARGET HTTP/1.1` (RFC 9112 §3), the target in origin, absolute or asterisk form.
struct HTTPRequestLine {
  var method: String
  var target: String
  var path: String
  var query: String?
  var minorVersion: Int
  /// Of a target in absolute form; nil: it has none.
  var authority: String?

  init(_ line: Slice<UnsafeRawBufferPointer>) throws(HTTPError) {
    let parts = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(HTTPText.isToken) else {
      throw HTTPError(status: 400, reason: "a request line is METHOD TARGET HTTP/1.1")
    }
    minorVersion = try Self.minorVersion(parts[2])
    method = String(decoding: parts[0], as: UTF8.self)
    target = String(decoding: parts[1], as: UTF8.self)
    try Self.checkCharacters(parts[1])
    let rest = try Self.split(target, method: method)
    authority = rest.authority
    let mark = rest.pathAndQuery.utf8.firstIndex(of: 0x3F)
    path = String(mark.map { rest.pathAndQuery[..<$0] } ?? rest.pathAndQuery)
    query = mark.map { String(rest.pathAndQuery[rest.pathAndQuery.utf8.index(after: $0)...]) }
  }

  /// 505 for other versions of HTTP, 400 for what is none.
  private static func minorVersion(_ text: Slice<UnsafeRawBufferPointer>) throws(HTTPError) -> Int {
    if text.elementsEqual("HTTP/1.1".utf8) { return 1 }
    if text.elementsEqual("HTTP/1.0".utf8) { return 0 }
    let bytes = Array(text)
    let isVersion =
      bytes.count == 8 && bytes.starts(with: "HTTP/".utf8) && bytes[6] == 0x2E && isDigit(bytes[5]) && isDigit(bytes[7])
    throw HTTPError(status: isVersion ? 505 : 400, reason: "only HTTP/1.1 is spoken here")
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  /// Those of a URI without a fragment (RFC 3986 §2, §3.4); `%` with two digits behind it that do not make a NUL.
  private static func checkCharacters(_ target: Slice<UnsafeRawBufferPointer>) throws(HTTPError) {
    var index = target.startIndex
    while index < target.endIndex {
      switch target[index] {
      case 0x25:
        let digits = target[(index + 1)...].prefix(2)
        guard digits.count == 2, digits.allSatisfy({ HTTPText.hexValue($0) != nil }), !digits.elementsEqual("00".utf8)
        else { throw HTTPError(status: 400, reason: "the target has a '%' that is no encoded character") }
        index += 3
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x21, 0x24, 0x26...0x2F, 0x3A, 0x3B, 0x3D, 0x3F, 0x40, 0x5B, 0x5D,
        0x5F, 0x7E:
        index += 1
      default: throw HTTPError(status: 400, reason: "the target has a character that no URI has")
      }
    }
  }

  private static func split(_ target: String, method: String) throws(HTTPError) -> (
    authority: String?, pathAndQuery: Substring
  ) {
    if target.utf8.first == 0x2F { return (nil, target[...]) }
    if target == "*" {
      guard method == "OPTIONS" else { throw HTTPError(status: 400, reason: "only OPTIONS has the target *") }
      return (nil, target[...])
    }
    for scheme in ["http://", "https://"] where HTTPText.equalsWithoutCase(target.prefix(scheme.count), scheme) {
      let rest = target.dropFirst(scheme.count)
      let end = rest.utf8.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? rest.endIndex
      guard end > rest.startIndex else { break }
      // Without a path it is the root, or for OPTIONS the whole server (RFC 9112 §3.2.4).
      if end == rest.endIndex { return (String(rest), method == "OPTIONS" ? "*" : "/") }
      guard rest.utf8[end] == 0x2F else { break }
      return (String(rest[..<end]), rest[end...])
    }
    throw HTTPError(status: 400, reason: "the target must be a path, or an http URL of the Host")
  }
}
