public import Bytes
import Glibc

/// A JSON value where it stands: validated once, then read without a tree.
///
/// Borrows its text: valid only while those bytes are unchanged. Looking up a member walks the object, so read each
/// once; an object of N bytes costs N.
public struct JSONView {
  /// The value's text, without space around it.
  public let bytes: UnsafeRawBufferPointer

  /// Validates that `text` is exactly one JSON value.
  ///
  /// - Parameter checksUTF8: false when the caller has validated the bytes already (a WebSocket text message).
  public init(parsing text: UnsafeRawBufferPointer, maximumDepth: Int = 128, checksUTF8: Bool = true) throws(JSONError)
  {
    let range = try JSONValidator.validate(text, maximumDepth: maximumDepth, checksUTF8: checksUTF8)
    bytes = UnsafeRawBufferPointer(rebasing: text[range])
  }

  /// Takes text that someone else has validated to be exactly one JSON value without space around it; on any other
  /// text the readers' answers are undefined.
  public init(validated bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Takes a value that was validated as part of a larger one.
  init(trusted bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  public var kind: JSONKind {
    switch bytes[0] {
    case 0x22: .string
    case 0x7B: .object
    case 0x5B: .array
    case 0x74, 0x66: .bool
    case 0x6E: .null
    default: .number
    }
  }

  public var isNull: Bool { bytes[0] == 0x6E }

  /// nil: not a boolean.
  public func bool() -> Bool? {
    switch bytes[0] {
    case 0x74: true
    case 0x66: false
    default: nil
    }
  }

  /// nil: not a number, not whole, or beyond 64 bits. `3.0` and `1e2` are whole.
  public func int() -> Int64? {
    guard kind == .number else { return nil }
    if let plain = Int64(text) { return plain }
    guard let number = Double(text) else { return nil }
    return Int64(exactly: number)
  }

  /// nil: not a number, or beyond the range of a double.
  public func double() -> Double? {
    guard kind == .number, let number = Double(text), number.isFinite else { return nil }
    return number
  }

  /// nil: not a string.
  public func string() -> String? {
    guard kind == .string else { return nil }
    if let plain = plainString { return String(decoding: plain, as: UTF8.self) }
    var buffer = ByteBuffer()
    appendString(to: &buffer)
    return buffer.string()
  }

  /// The value's text as it stands.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  // MARK: - Strings

  /// What stands between the quotes of a string; empty for other kinds.
  var content: UnsafeRawBufferPointer {
    kind == .string
      ? UnsafeRawBufferPointer(rebasing: bytes[1..<bytes.count &- 1]) : UnsafeRawBufferPointer(start: nil, count: 0)
  }

  /// The content of a string that has no escapes, where it stands; nil for any other.
  public var plainString: UnsafeRawBufferPointer? {
    guard kind == .string else { return nil }
    let content = self.content
    guard let base = content.baseAddress else { return content }
    return memchr(base, 0x5C, content.count) == nil ? content : nil
  }

  /// Appends the content of a string, escapes resolved; nothing for other kinds.
  public func appendString(to buffer: inout ByteBuffer) {
    let content = self.content
    buffer.reserve(content.count)
    JSONText.forEachPiece(content) { buffer.append($0) }
  }

  /// Whether this is a string with just this content.
  public func equals(_ text: StaticString) -> Bool {
    equals(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Whether this is a string with just this content. Disfavored, so that a literal is compared as a StaticString.
  @_disfavoredOverload
  public func equals(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { equals(UnsafeRawBufferPointer($0)) }
  }

  private func equals(_ text: UnsafeRawBufferPointer) -> Bool {
    let content = self.content
    if content.count == text.count {
      if text.isEmpty { return kind == .string }
      // Equal length: equal bytes, or an escape somewhere, which would make the content shorter than its text.
      return memcmp(content.baseAddress!, text.baseAddress!, text.count) == 0
        && memchr(text.baseAddress!, 0x5C, text.count) == nil
    }
    guard content.count > text.count, memchr(content.baseAddress!, 0x5C, content.count) != nil else { return false }
    var buffer = ByteBuffer()
    appendString(to: &buffer)
    return buffer.readable.elementsEqual(text)
  }

  /// The Unicode scalars of a string; nil for other kinds.
  public var characterCount: Int? {
    guard kind == .string else { return nil }
    var count = 0
    JSONText.forEachPiece(content) { piece in
      for byte in piece where byte & 0xC0 != 0x80 { count &+= 1 }
    }
    return count
  }

  // MARK: - Containers

  /// The members of an object in their order; nothing for other kinds.
  public func members() -> JSONMembers { JSONMembers(kind == .object ? bytes : nil) }

  /// The elements of an array; nothing for other kinds.
  public func elements() -> JSONElements { JSONElements(kind == .array ? bytes : nil) }

  /// The last member with this key; nil when there is none or this is no object.
  public subscript(_ key: StaticString) -> JSONView? {
    var found: JSONView?
    for (name, value) in members() where name.equals(key) { found = value }
    return found
  }

  /// The last member with this key; nil when there is none or this is no object.
  public subscript(key key: String) -> JSONView? {
    var found: JSONView?
    for (name, value) in members() where name.equals(key) { found = value }
    return found
  }

  /// The element at `index`; nil beyond the end or when this is no array.
  public subscript(_ index: Int) -> JSONView? {
    var position = 0
    for element in elements() {
      if position == index { return element }
      position &+= 1
    }
    return nil
  }
}

/// Walks an object's members.
public struct JSONMembers: Sequence, IteratorProtocol {
  private var cursor: JSONCursor

  init(_ object: UnsafeRawBufferPointer?) { cursor = JSONCursor(object) }

  public mutating func next() -> (key: JSONView, value: JSONView)? {
    guard let key = cursor.next() else { return nil }
    cursor.skip(0x3A)
    guard let value = cursor.next() else { return nil }
    cursor.skip(0x2C)
    return (key, value)
  }
}

/// Walks an array's elements.
public struct JSONElements: Sequence, IteratorProtocol {
  private var cursor: JSONCursor

  init(_ array: UnsafeRawBufferPointer?) { cursor = JSONCursor(array) }

  public mutating func next() -> JSONView? {
    guard let element = cursor.next() else { return nil }
    cursor.skip(0x2C)
    return element
  }
}

/// A place inside a validated container.
private struct JSONCursor {
  private let base: UnsafePointer<UInt8>?
  private let end: Int
  private var index: Int

  init(_ container: UnsafeRawBufferPointer?) {
    base = container?.baseAddress?.assumingMemoryBound(to: UInt8.self)
    end = container.map { $0.count &- 1 } ?? 0
    index = 1
  }

  /// The next value; nil at the closing bracket.
  @inline(__always)
  mutating func next() -> JSONView? {
    guard let base else { return nil }
    index = JSONScan.skipSpace(base, index, end)
    guard index < end else { return nil }
    let start = index
    index = JSONScan.skipValue(base, start, end)
    return JSONView(trusted: UnsafeRawBufferPointer(start: base + start, count: index &- start))
  }

  @inline(__always)
  mutating func skip(_ separator: UInt8) {
    guard let base else { return }
    index = JSONScan.skipSpace(base, index, end)
    if index < end, base[index] == separator { index &+= 1 }
  }
}
