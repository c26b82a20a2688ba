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

  private static func equal(_ left: String, _ right: String) -> Bool { HTTPText.equalsWithoutCase(left, right) }
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

package enum HTTPText {
  static func lowered(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

  /// Whether two texts are the same but for the case of ASCII letters. Unicode has other letters that become ASCII ones
  /// when they are lowered (U+212A is a `k`): another reader would not take `chun\u{212A}ed` for `chunked`.
  package static func equalsWithoutCase(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
    let (left, right) = (left.utf8, right.utf8)
    return left.count == right.count && zip(left, right).allSatisfy { lowered($0) == lowered($1) }
  }

  static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }

  /// Without the spaces and tabs around it.
  package static func trimmed(_ text: some StringProtocol) -> String {
    var bytes = Array(text.utf8)[...]
    while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// tchar (RFC 9110 §5.6.2).
  package static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
    default: false
    }
  }

  /// What a field's value may have: visible characters, spaces, tabs, bytes beyond ASCII.
  static func isFieldContent(_ byte: UInt8) -> Bool { byte == 0x09 || (byte >= 0x20 && byte != 0x7F) }
}
