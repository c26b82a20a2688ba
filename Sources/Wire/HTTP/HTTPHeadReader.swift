/// How much of a message's head is taken.
public struct HTTPLimits: Sendable {
  /// With every line end.
  public var headBytes = 16_384
  public var headers = 100
  /// Without its CRLF.
  public var lineBytes = 8_192

  public init() {}
}

/// Reads the lines of a head, or of a chunked body's trailer: CRLF only (RFC 9112 §2.2), bounded, no folding.
struct HTTPHeadReader {
  let limits: HTTPLimits

  /// What a first line that is too long is answered with: 414 where it is a request's target that grew.
  let firstLineStatus: Int
  /// Bytes already looked at, so that a head that comes byte by byte is still read once.
  private var scanned = 0
  private var lineStart = 0

  init(limits: HTTPLimits, firstLineStatus: Int) {
    self.limits = limits
    self.firstLineStatus = firstLineStatus
  }

  /// The head's bytes up to and with its empty line; nil: more are needed, behind the same ones.
  mutating func length(of bytes: UnsafeRawBufferPointer) throws(HTTPError) -> Int? {
    let end = min(bytes.count, limits.headBytes)
    while scanned < end {
      let index = scanned
      scanned += 1
      guard bytes[index] == 0x0A else { continue }
      // Too long first, as where the line's end has not come yet: the status must not tell how the bytes were cut.
      guard index - lineStart <= limits.lineBytes + 1 else { throw tooLong }
      guard index > lineStart, bytes[index - 1] == 0x0D else {
        throw HTTPError(status: 400, reason: "a line ends without CRLF")
      }
      if index - 1 == lineStart {
        (scanned, lineStart) = (0, 0)
        return index + 1
      }
      lineStart = index + 1
    }
    // The last byte may be the line's CR.
    guard end - lineStart <= limits.lineBytes + 1 else { throw tooLong }
    guard bytes.count < limits.headBytes else {
      throw HTTPError(status: 431, reason: "the head has more than \(limits.headBytes) bytes")
    }
    return nil
  }

  private var tooLong: HTTPError {
    HTTPError(
      status: lineStart == 0 ? firstLineStatus : 431, reason: "a line has more than \(limits.lineBytes) bytes")
  }

  /// The lines of a whole head, without the empty one.
  func lines(_ head: UnsafeRawBufferPointer) -> [Slice<UnsafeRawBufferPointer>] {
    var lines: [Slice<UnsafeRawBufferPointer>] = []
    var start = 0
    for index in 0..<head.count where head[index] == 0x0A {
      if index - 1 > start { lines.append(head[start..<index - 1]) }
      start = index + 1
    }
    return lines
  }

  func headers(_ lines: ArraySlice<Slice<UnsafeRawBufferPointer>>) throws(HTTPError) -> HTTPHeaders {
    guard lines.count <= limits.headers else {
      throw HTTPError(status: 431, reason: "more than \(limits.headers) headers")
    }
    var headers = HTTPHeaders()
    for line in lines {
      guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex,
        line[..<colon].allSatisfy(HTTPText.isToken)
      else { throw HTTPError(status: 400, reason: "a header line has no proper name before its ':'") }
      let value = line[(colon + 1)...]
      guard value.allSatisfy(HTTPText.isFieldContent) else {
        throw HTTPError(status: 400, reason: "a header's value has a control character")
      }
      headers.append(
        String(decoding: line[..<colon], as: UTF8.self), HTTPText.trimmed(String(decoding: value, as: UTF8.self)))
    }
    return headers
  }
}
