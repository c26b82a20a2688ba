public import Bytes
import Glibc

/// Messages to frames (RFC 6455 §5.2), written straight into a buffer. Never fragments.
public enum WebSocketEncoder {
  /// A server's frame; `isCompressed` marks a message of permessage-deflate (RFC 7692 §6.1).
  public static func append(
    _ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, isCompressed: Bool = false,
    to buffer: inout ByteBuffer
  ) {
    buffer.reserve(payload.count + 10)
    appendHead(opcode, payload.count, mask: nil, isCompressed: isCompressed, to: &buffer)
    buffer.append(payload)
  }

  /// A client's frame, masked with `key`, which must be unpredictable.
  public static func appendMasked(
    _ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, key: UInt32, to buffer: inout ByteBuffer
  ) {
    buffer.reserve(payload.count + 14)
    appendHead(opcode, payload.count, mask: key, to: &buffer)
    let start = buffer.count
    buffer.append(payload)
    WebSocketMask.apply(key, to: UnsafeMutableRawBufferPointer(rebasing: buffer.readableMutable[start...]))
  }

  /// A server's close frame. The reason is cut to what fits, between characters. nil as a code: none.
  public static func appendClose(code: UInt16?, reason: String, to buffer: inout ByteBuffer) {
    guard let code else { return append(.close, UnsafeRawBufferPointer(start: nil, count: 0), to: &buffer) }
    var fitting = reason.utf8.prefix(123)
    while String(fitting) == nil { fitting = fitting.dropLast() }
    appendHead(.close, 2 + fitting.count, mask: nil, to: &buffer)
    buffer.append(UInt8(code >> 8))
    buffer.append(UInt8(truncatingIfNeeded: code))
    buffer.append(Array(fitting))
  }

  /// Begins a server's frame whose length is not known yet: append the payload, then `endMessage`.
  ///
  /// The head takes the four bytes of a medium message; a short or a huge one is moved by two or six bytes at its end.
  public static func beginMessage(in buffer: inout ByteBuffer) -> Int {
    let mark = buffer.count
    buffer.append("\0\0\0\0")
    return mark
  }

  /// Completes the frame that `beginMessage` began at `mark`.
  public static func endMessage(_ mark: Int, opcode: WebSocketOpcode, in buffer: inout ByteBuffer) {
    let count = buffer.count - mark - 4
    let first = 0x80 | opcode.rawValue
    switch count {
    case ...125:
      let bytes = buffer.readableMutable.baseAddress! + mark
      memmove(bytes + 2, bytes + 4, count)
      bytes.storeBytes(of: first, as: UInt8.self)
      bytes.storeBytes(of: UInt8(count), toByteOffset: 1, as: UInt8.self)
      buffer.truncate(to: mark + 2 + count)
    case ...65_535:
      let bytes = buffer.readableMutable.baseAddress! + mark
      bytes.storeBytes(of: first, as: UInt8.self)
      bytes.storeBytes(of: 126, toByteOffset: 1, as: UInt8.self)
      bytes.storeBytes(of: UInt16(count).bigEndian, toByteOffset: 2, as: UInt16.self)
    default:
      buffer.append("\0\0\0\0\0\0")
      let bytes = buffer.readableMutable.baseAddress! + mark
      memmove(bytes + 10, bytes + 4, count)
      bytes.storeBytes(of: first, as: UInt8.self)
      bytes.storeBytes(of: 127, toByteOffset: 1, as: UInt8.self)
      bytes.storeBytes(of: UInt64(count).bigEndian, toByteOffset: 2, as: UInt64.self)
    }
  }

  private static func appendHead(
    _ opcode: WebSocketOpcode, _ count: Int, mask: UInt32?, isCompressed: Bool = false, to buffer: inout ByteBuffer
  ) {
    let masked: UInt8 = mask == nil ? 0 : 0x80
    buffer.append(0x80 | (isCompressed ? WebSocketFrameHead.compressedBit : 0) | opcode.rawValue)
    switch count {
    case ...125: buffer.append(masked | UInt8(count))
    case ...65_535:
      buffer.append(masked | 126)
      withUnsafeBytes(of: UInt16(count).bigEndian) { buffer.append($0) }
    default:
      buffer.append(masked | 127)
      withUnsafeBytes(of: UInt64(count).bigEndian) { buffer.append($0) }
    }
    if let mask { withUnsafeBytes(of: mask) { buffer.append($0) } }
  }
}
