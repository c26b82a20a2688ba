public import Bytes

/// A JSON value as a tree, members in order: for cold paths, configuration and tests.
public indirect enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  public struct Member: Equatable, Sendable {
    public var key: String
    public var value: JSONValue

    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  public init(parsing text: UnsafeRawBufferPointer, maximumDepth: Int = 128) throws(JSONError) {
    self.init(try JSONView(parsing: text, maximumDepth: maximumDepth))
  }

  public init(parsing text: String) throws(JSONError) {
    var buffer = ByteBuffer()
    buffer.append(text)
    try self.init(parsing: buffer.readable)
  }

  /// Copies a view.
  public init(_ view: JSONView) {
    switch view.kind {
    case .null: self = .null
    case .bool: self = .bool(view.bool() ?? false)
    case .number: self = Int64(view.text).map(JSONValue.integer) ?? .double(Double(view.text) ?? .infinity)
    case .string: self = .string(view.string() ?? "")
    case .array: self = .array(view.elements().map { JSONValue($0) })
    case .object: self = .object(view.members().map { Member($0.key.string() ?? "", JSONValue($0.value)) })
    }
  }

  /// The last member with this key.
  public subscript(_ key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  public subscript(_ index: Int) -> JSONValue? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  public var string: String? { if case .string(let text) = self { text } else { nil } }
  public var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
  public var members: [Member]? { if case .object(let members) = self { members } else { nil } }

  public var integer: Int64? {
    switch self {
    case .integer(let number): number
    case .double(let number): Int64(exactly: number)
    default: nil
    }
  }

  public var double: Double? {
    switch self {
    case .integer(let number): Double(number)
    case .double(let number): number
    default: nil
    }
  }

  public func write(to buffer: inout ByteBuffer) {
    switch self {
    case .null: buffer.append("null")
    case .bool(let flag): buffer.append(flag ? "true" as StaticString : "false")
    case .integer(let number): buffer.appendDecimal(number)
    case .double(let number): buffer.appendJSON(double: number)
    case .string(let text): buffer.appendJSON(string: text)
    case .array(let elements):
      buffer.append(0x5B)
      for (index, element) in elements.enumerated() {
        if index > 0 { buffer.append(0x2C) }
        element.write(to: &buffer)
      }
      buffer.append(0x5D)
    case .object(let members):
      buffer.append(0x7B)
      for (index, member) in members.enumerated() {
        if index > 0 { buffer.append(0x2C) }
        buffer.appendJSON(string: member.key)
        buffer.append(0x3A)
        member.value.write(to: &buffer)
      }
      buffer.append(0x7D)
    }
  }

  /// Compact JSON.
  public var text: String {
    var buffer = ByteBuffer()
    write(to: &buffer)
    return buffer.string()
  }
}
