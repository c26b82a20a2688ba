/// Header fields in their order; names are compared without case (RFC 9110 §5.1).
public struct HTTPHeaders: Equatable, Sendable {
  public struct Field: Equatable, Sendable {
    public var name: String
    public var value: String
  }

  public private(set) var fields: [Field] = []

  public init() {}

  public mutating func append(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

  /// The first value; nil: there is none.
  public subscript(_ name: String) -> String? { fields.first { Self.equal($0.name, name) }?.value }

  /// Every value, one for each field.
  public func all(_ name: String) -> [String] { fields.filter { Self.equal($0.name, name) }.map(\.value) }

  /// Whether a comma-separated field has this token, in any case.
  public func contains(_ name: String, token: String) -> Bool {
    all(name).contains { value in
      value.split(separator: ",").contains { Self.equal(HTTPText.trimmed($0), token) }
    }
  }

  private static func equal(_ left: String, _ right: String) -> Bool {
    let left = left.utf8
    let right = right.utf8
    return left.count == right.count && zip(left, right).allSatisfy { HTTPText.lowered($0) == HTTPText.lowered($1) }
  }
}

/// A request that is not HTTP as this host takes it: the status it is answered with.
public struct HTTPError: Error, Equatable, Sendable {
  public var status: Int
  public var reason: String

  public init(status: Int, reason: String) {
    self.status = status
    self.reason = reason
  }
}

enum HTTPText {
  static func lowered(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

  /// Without the spaces and tabs around it.
  static func trimmed(_ text: some StringProtocol) -> String {
    var bytes = Array(text.utf8)[...]
    while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// tchar (RFC 9110 §5.6.2).
  static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
    default: false
    }
  }

  /// What a field's value may have: visible characters, spaces, tabs, bytes beyond ASCII.
  static func isFieldContent(_ byte: UInt8) -> Bool { byte == 0x09 || (byte >= 0x20 && byte != 0x7F) }
}

/// How much of a message's head is taken.
public struct HTTPLimits: Sendable {
  public var headBytes = 16_384
  public var headers = 100
  public var lineBytes = 8_192

  public init() {}
}

/// Reads the lines of a head: CRLF only (RFC 9112 §2.2), bounded, no folding.
struct HTTPHeadReader {
  let limits: HTTPLimits

  /// The head's bytes up to and with its empty line; nil: more are needed.
  func length(of bytes: UnsafeRawBufferPointer) throws(HTTPError) -> Int? {
    var lineStart = 0
    let scanned = min(bytes.count, limits.headBytes)
    for index in 0..<scanned where bytes[index] == 0x0A {
      guard index > lineStart, bytes[index - 1] == 0x0D else {
        throw HTTPError(status: 400, reason: "a line ends without CRLF")
      }
      if index - lineStart == 1 { return index + 1 }
      guard index - lineStart <= limits.lineBytes else { throw tooLong }
      lineStart = index + 1
    }
    guard scanned - lineStart <= limits.lineBytes else { throw tooLong }
    guard bytes.count < limits.headBytes else {
      throw HTTPError(status: 431, reason: "the head has more than \(limits.headBytes) bytes")
    }
    return nil
  }

  private var tooLong: HTTPError { HTTPError(status: 431, reason: "a line has more than \(limits.lineBytes) bytes") }

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
