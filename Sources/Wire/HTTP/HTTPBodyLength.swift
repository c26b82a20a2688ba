/// How a message's body is delimited (RFC 9112 §6).
public enum HTTPBodyLength: Equatable, Sendable {
  case none
  case bytes(UInt64)
  case chunked
  /// A response's body that ends with its connection.
  case untilClose

  /// nil: the headers say nothing. Throws where two readers could disagree about the end (request smuggling).
  init?(_ headers: HTTPHeaders, minorVersion: Int) throws(HTTPError) {
    let encodings = headers.all("transfer-encoding")
    let lengths = headers.all("content-length")
    if !encodings.isEmpty {
      guard lengths.isEmpty else { throw HTTPError(status: 400, reason: "both Content-Length and Transfer-Encoding") }
      guard minorVersion >= 1 else { throw HTTPError(status: 400, reason: "a Transfer-Encoding in HTTP/1.0") }
      guard encodings.count == 1, HTTPText.equalsWithoutCase(encodings[0], "chunked") else {
        throw HTTPError(status: 501, reason: "the only transfer coding is chunked, once")
      }
      self = .chunked
      return
    }
    guard let first = lengths.first else { return nil }
    guard lengths.count == 1, first.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let bytes = UInt64(first) else {
      throw HTTPError(status: 400, reason: "Content-Length must be one whole number")
    }
    self = bytes == 0 ? .none : .bytes(bytes)
  }
}
