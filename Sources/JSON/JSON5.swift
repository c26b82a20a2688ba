/// Reads JSON5 (spec.json5.org, version 1.0.0): JSON that people write by hand, with comments, trailing commas,
/// unquoted keys, single quotes, hexadecimal numbers and lines continued in strings.
///
/// Meant for a configuration, so every value knows its line and a key may stand in an object once only.
public enum JSON5 {
  /// The largest text that is read.
  public static let textBytesLimit = 1 << 20
  /// How deep arrays and objects may stand in each other.
  public static let depthLimit = 64

  /// Reads exactly one value, with space and comments around it.
  public static func parse(_ text: UnsafeRawBufferPointer) throws(JSON5Error) -> JSON5Node {
    guard text.count <= textBytesLimit else {
      throw JSON5Error(
        line: 1, column: 1, reason: "found \(text.count) bytes, expected at most \(textBytesLimit)")
    }
    var parser = try JSON5Parser(text)
    return try parser.document()
  }

  /// Reads exactly one value, with space and comments around it.
  public static func parse(_ text: String) throws(JSON5Error) -> JSON5Node {
    let bytes = Array(text.utf8)
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(JSON5Error) in try parse(bytes) }
    }
    return try result.get()
  }
}

/// One value and where it begins. Lines and columns count from 1, columns in Unicode scalars.
public struct JSON5Node: Sendable, Equatable {
  public indirect enum Value: Sendable, Equatable {
    case null
    case bool(Bool)
    /// May be infinite or not a number. `integer` is its exact value where it has one that fits.
    case number(Double, integer: Int64?)
    case string(String)
    case array([JSON5Node])
    case object([Member])
  }

  /// A key, where it stands, and its value.
  public struct Member: Sendable, Equatable {
    public var key: String
    public var line: Int
    public var column: Int
    public var node: JSON5Node

    public init(key: String, line: Int, column: Int, node: JSON5Node) {
      self.key = key
      self.line = line
      self.column = column
      self.node = node
    }
  }

  public var value: Value
  public var line: Int
  public var column: Int

  public init(value: Value, line: Int, column: Int) {
    self.value = value
    self.line = line
    self.column = column
  }

  /// The value of a key; nil when there is none or this is no object.
  public subscript(_ key: String) -> JSON5Node? {
    guard case .object(let members) = value else { return nil }
    return members.first { $0.key == key }?.node
  }
}

/// Why a text is not JSON5, and where.
public struct JSON5Error: Error, Sendable, Equatable, CustomStringConvertible {
  public var line: Int
  public var column: Int
  /// Found and expected, one sentence without a full stop.
  public var reason: String

  public init(line: Int, column: Int, reason: String) {
    self.line = line
    self.column = column
    self.reason = reason
  }

  public var description: String { "line \(line), column \(column): \(reason)" }
}
