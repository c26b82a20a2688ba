public import Bytes

/// Frames to messages (RFC 6455 §5): unmasks in place, joins fragments, checks UTF-8 as it comes.
///
/// An unfragmented message is handed over where it lies in the input. A decoder between messages owns no memory.
/// One owner, one thread. After it has thrown, the connection is done with.
public struct WebSocketDecoder: ~Copyable {
  /// Which side decodes: a server takes only masked frames, a client only unmasked ones.
  public enum Role: Sendable { case server, client }

  /// Fragments one message may have, so that empty ones cannot go on for ever.
  public static let fragmentsLimit = 131_072

  private let role: Role
  private let messageBytesLimit: Int
  private let acceptsBinary: Bool
  /// The kind of a message of which fragments came; nil between messages.
  private var fragmented: WebSocketOpcode?
  private var fragments = 0
  /// The fragments so far, or the joined message that was handed over last time.
  private var joined = ByteBuffer()
  private var joinedIsHandedOver = false
  /// Bytes of the input whose event was handed over last time.
  private var consumed = 0
  /// Bytes of an unfinished text frame's payload that are unmasked and known to be UTF-8.
  private var examined = 0
  /// Follows the text of the current message.
  private var validator = UTF8Validator()

  /// - Parameters:
  ///   - messageBytesLimit: payload bytes of one message; more is refused with 1009 when its head is read.
  ///   - acceptsBinary: false: a binary frame is refused with 1003 at its head.
  public init(role: Role, messageBytesLimit: Int, acceptsBinary: Bool = true) {
    self.role = role
    self.messageBytesLimit = messageBytesLimit
    self.acceptsBinary = acceptsBinary
  }

  /// Whether fragments of a message have come, and its last one has not.
  public var isInsideMessage: Bool { fragmented != nil }

  /// Bytes of memory it owns.
  public var heldBytes: Int { joined.allocatedBytes }

  /// Takes the next event out of `input`; nil: more bytes are needed.
  ///
  /// The event's payload lies in `input` or here and is valid until the next call; until then leave `input` alone.
  public mutating func next(_ input: inout ByteBuffer) throws(WebSocketError) -> WebSocketEvent? {
    if consumed > 0 {
      input.consume(consumed)
      consumed = 0
    }
    if joinedIsHandedOver {
      joined.removeAll(keeping: 0)
      joinedIsHandedOver = false
    }
    while let head = try WebSocketFrameHead(input.readable, role: role) {
      try check(head)
      let payloadBytes = Int(head.payloadBytes)
      guard input.count - head.headBytes >= payloadBytes else {
        try examineEarly(head, &input)
        return nil
      }
      let payload = UnsafeMutableRawBufferPointer(
        rebasing: input.readableMutable[head.headBytes..<head.headBytes + payloadBytes])
      if let mask = head.mask {
        let masked = UnsafeMutableRawBufferPointer(rebasing: payload[examined...])
        WebSocketMask.apply(mask, to: masked, offset: examined)
      }
      if let event = try take(head, UnsafeRawBufferPointer(payload)) {
        consumed = head.headBytes + payloadBytes
        return event
      }
      input.consume(head.headBytes + payloadBytes)
    }
    return nil
  }

  /// What can be refused before the payload is there.
  private func check(_ head: WebSocketFrameHead) throws(WebSocketError) {
    switch head.opcode {
    case .continuation:
      guard fragmented != nil else { throw .violation("a continuation without a message to continue") }
    case .text, .binary:
      guard fragmented == nil else { throw .violation("a new message inside a fragmented one") }
      if head.opcode == .binary && !acceptsBinary {
        throw WebSocketError(closeCode: 1003, reason: "text frames only")
      }
    case .close, .ping, .pong: return
    }
    guard head.payloadBytes <= UInt64(messageBytesLimit - joined.count) else {
      throw WebSocketError(closeCode: 1009, reason: "message exceeds limit of \(messageBytesLimit) bytes")
    }
  }

  /// Unmasks and validates what has come of a text frame, so that bad UTF-8 fails before the frame is whole.
  private mutating func examineEarly(_ head: WebSocketFrameHead, _ input: inout ByteBuffer) throws(WebSocketError) {
    guard head.opcode == .text || (head.opcode == .continuation && fragmented == .text) else { return }
    let available = input.count - head.headBytes
    guard available > examined else { return }
    let fresh = UnsafeMutableRawBufferPointer(
      rebasing: input.readableMutable[head.headBytes + examined..<head.headBytes + available])
    if let mask = head.mask { WebSocketMask.apply(mask, to: fresh, offset: examined) }
    guard validator.validate(UnsafeRawBufferPointer(fresh)) else { throw .notUTF8 }
    examined = available
  }

  /// nil: a fragment that was put aside.
  private mutating func take(_ head: WebSocketFrameHead, _ payload: UnsafeRawBufferPointer) throws(WebSocketError)
    -> WebSocketEvent?
  {
    let fresh = UnsafeRawBufferPointer(rebasing: payload[examined...])
    examined = 0
    switch head.opcode {
    case .ping: return .ping(payload)
    case .pong: return .pong(payload)
    case .close: return try close(payload)
    case .text, .binary:
      if head.isFinal { return try whole(head.opcode, payload, fresh) }
      fragmented = head.opcode
      fragments = 0
    case .continuation: break
    }
    return try join(payload, fresh, isFinal: head.isFinal)
  }

  private mutating func whole(
    _ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, _ fresh: UnsafeRawBufferPointer
  ) throws(WebSocketError) -> WebSocketEvent {
    if opcode == .binary { return .binary(payload) }
    guard validator.validate(fresh), validator.isComplete else { throw .notUTF8 }
    return .text(payload)
  }

  private mutating func join(
    _ payload: UnsafeRawBufferPointer, _ fresh: UnsafeRawBufferPointer, isFinal: Bool
  ) throws(WebSocketError) -> WebSocketEvent? {
    fragments += 1
    guard fragments <= Self.fragmentsLimit else {
      throw WebSocketError(closeCode: 1009, reason: "message exceeds limit of \(Self.fragmentsLimit) fragments")
    }
    let isText = fragmented == .text
    if isText {
      guard validator.validate(fresh), !isFinal || validator.isComplete else { throw .notUTF8 }
    }
    joined.append(payload)
    guard isFinal else { return nil }
    fragmented = nil
    joinedIsHandedOver = true
    return isText ? .text(joined.readable) : .binary(joined.readable)
  }

  /// RFC 6455 §7.4: a code that may be sent, and a reason in UTF-8.
  private func close(_ payload: UnsafeRawBufferPointer) throws(WebSocketError) -> WebSocketEvent {
    if payload.isEmpty { return .close(code: nil, reason: payload) }
    guard payload.count >= 2 else { throw .violation("a close frame with half a code") }
    let code = UInt16(bigEndian: payload.loadUnaligned(as: UInt16.self))
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: break
    default: throw .violation("close code \(code) may not be sent")
    }
    let reason = UnsafeRawBufferPointer(rebasing: payload[2...])
    guard UTF8Validator.isValid(reason) else { throw .notUTF8 }
    return .close(code: code, reason: reason)
  }
}
