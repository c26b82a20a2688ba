/// What a frame carries (RFC 6455 §5.2).
public enum WebSocketOpcode: UInt8, Sendable {
  case continuation = 0
  case text = 1
  case binary = 2
  case close = 8
  case ping = 9
  case pong = 10

  /// Control frames may come between the fragments of a message (RFC 6455 §5.5).
  var isControl: Bool { rawValue >= 8 }
}

/// What a message is, whatever its frames (RFC 6455 §5.6).
public enum WebSocketMessageKind: Sendable {
  case text, binary

  public var opcode: WebSocketOpcode { self == .text ? .text : .binary }
}

/// The peer broke the protocol, or a limit: the code and reason of the close frame it gets.
public struct WebSocketError: Error, Equatable, Sendable {
  public var closeCode: UInt16
  public var reason: String

  public init(closeCode: UInt16, reason: String) {
    self.closeCode = closeCode
    self.reason = reason
  }

  static func violation(_ reason: String) -> WebSocketError { WebSocketError(closeCode: 1002, reason: reason) }

  static func tooLarge(_ limit: Int) -> WebSocketError {
    WebSocketError(closeCode: 1009, reason: "message exceeds limit of \(limit) bytes")
  }

  static let notUTF8 = WebSocketError(closeCode: 1007, reason: "text is not UTF-8")
  static let notDeflate = WebSocketError(closeCode: 1007, reason: "a compressed message is not what RFC 1951 has")
}

/// What a decoder found. Payloads are borrowed until the next call of the decoder.
public enum WebSocketEvent {
  case text(UnsafeRawBufferPointer)
  case binary(UnsafeRawBufferPointer)
  case ping(UnsafeRawBufferPointer)
  case pong(UnsafeRawBufferPointer)
  /// `code` is nil when the frame had none (1005).
  case close(code: UInt16?, reason: UnsafeRawBufferPointer)

  /// Control frames may come inside a message (RFC 6455 §5.5).
  public var isControl: Bool {
    switch self {
    case .text, .binary: false
    case .ping, .pong, .close: true
    }
  }
}

/// The head of a frame, before its payload.
struct WebSocketFrameHead {
  static let reservedBits: UInt8 = 0x70
  static let compressedBit: UInt8 = 0x40

  var isFinal: Bool
  /// RSV1: a compressed message begins (RFC 7692 §6).
  var isCompressed: Bool
  var opcode: WebSocketOpcode
  var mask: UInt32?
  var payloadBytes: UInt64
  var headBytes: Int

  /// nil: more bytes are needed. Throws as soon as the bytes that are there are wrong.
  ///
  /// - Parameter reserved: the bits that no extension has been agreed on for.
  init?(
    _ bytes: UnsafeRawBufferPointer, role: WebSocketDecoder.Role, reserved: UInt8 = WebSocketFrameHead.reservedBits
  ) throws(WebSocketError) {
    guard bytes.count >= 1 else { return nil }
    let first = bytes[0]
    guard first & reserved == 0 else { throw .violation("a reserved bit is set and no extension was agreed on") }
    guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else {
      throw .violation("opcode \(first & 0x0F) is reserved")
    }
    isCompressed = first & Self.compressedBit != 0
    if isCompressed && opcode != .text && opcode != .binary {
      throw .violation("a frame is marked as compressed that begins no message")
    }
    isFinal = first & 0x80 != 0
    self.opcode = opcode
    if opcode.isControl && !isFinal { throw .violation("a control frame is fragmented") }
    guard bytes.count >= 2 else { return nil }
    let isMasked = bytes[1] & 0x80 != 0
    switch role {
    case .server where !isMasked: throw .violation("a client's frame is not masked")
    case .client where isMasked: throw .violation("a server's frame is masked")
    default: break
    }
    let short = bytes[1] & 0x7F
    if opcode.isControl && short > 125 { throw .violation("a control frame has more than 125 bytes") }
    var position = 2
    switch short {
    case 126:
      guard bytes.count >= 4 else { return nil }
      payloadBytes = UInt64(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
      guard payloadBytes > 125 else { throw .violation("a length of \(payloadBytes) is written in 16 bits") }
      position = 4
    case 127:
      guard bytes.count >= 10 else { return nil }
      payloadBytes = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
      guard payloadBytes >> 63 == 0 else { throw .violation("the top bit of a 64-bit length is set") }
      guard payloadBytes > 65_535 else { throw .violation("a length of \(payloadBytes) is written in 64 bits") }
      position = 10
    default: payloadBytes = UInt64(short)
    }
    if isMasked {
      guard bytes.count >= position + 4 else { return nil }
      mask = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)
      position += 4
    }
    headBytes = position
  }
}

/// Masking and unmasking, which are the same (RFC 6455 §5.3).
enum WebSocketMask {
  /// Applies `key`, as it lies in memory, to `bytes` whose first byte is number `offset` of the payload.
  @inline(__always)
  static func apply(_ key: UInt32, to bytes: UnsafeMutableRawBufferPointer, offset: Int = 0) {
    guard let start = bytes.baseAddress else { return }
    let shift = UInt32(truncatingIfNeeded: (offset & 3) * 8)
    // Little-endian: byte n of the payload meets byte n & 3 of the key.
    let turned = shift == 0 ? key : key >> shift | key << (32 &- shift)
    let wide = UInt64(turned) | UInt64(turned) << 32
    let end = bytes.count
    var index = 0
    while index &+ 8 <= end {
      let word = start.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      start.storeBytes(of: word ^ wide, toByteOffset: index, as: UInt64.self)
      index &+= 8
    }
    while index < end {
      let keyByte = UInt8(truncatingIfNeeded: wide >> UInt64((index & 7) * 8))
      start.storeBytes(
        of: start.load(fromByteOffset: index, as: UInt8.self) ^ keyByte, toByteOffset: index, as: UInt8.self)
      index &+= 1
    }
  }
}
