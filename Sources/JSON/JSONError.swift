/// Why a text is not JSON (RFC 8259), and where.
public struct JSONError: Error, Equatable, Sendable {
  /// What was found against what was expected, without the text itself.
  public var reason: String
  /// Bytes from the start of the text.
  public var offset: Int

  public init(reason: String, offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}

/// The six kinds of JSON values.
public enum JSONKind: Sendable, CustomStringConvertible {
  case null, bool, number, string, array, object

  /// As it reads in a sentence: `must be a string, got an array`.
  public var description: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
