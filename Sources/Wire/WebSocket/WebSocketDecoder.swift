public import Bytes

/// Frames to messages (RFC 6455 §5): unmasks in place, joins fragments, checks UTF-8 as it comes.
///
/// An unfragmented message is handed over where it lies in the input. A compressed one (RFC 7692) is inflated as its
/// bytes come, and its bytes are let go of. A decoder between messages owns no memory.
/// One owner, one thread. After it has thrown, the connection is done with.
public struct WebSocketDecoder: ~Copyable {
  /// Which side decodes: a server takes only masked frames, a client only unmasked ones.
  public enum Role: Sendable { case server, client }

  /// Fragments that one message may have, however little they carry. A message of more carries `fragmentBytes` in each
  /// on average: a head costs its sender six bytes, and us as much as reading a hundred.
  public static let tinyFragmentsLimit = 4_096
  public static let fragmentBytes = 16

  private let role: Role
  private let messageBytesLimit: Int
  private let acceptsBinary: Bool
  /// nil: no message may be compressed.
  private let deflate: MessageDeflate?
  private let reservedBits: UInt8
  /// The frame of a compressed message that is inflated now.
  private var inflating: InflatingFrame?
  /// Whether the message of which fragments came is a compressed one.
  private var isCompressed = false
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
  ///   - deflate: what was agreed on for compressed messages; nil: they are refused with 1002.
  public init(role: Role, messageBytesLimit: Int, acceptsBinary: Bool = true, deflate: MessageDeflate? = nil) {
    self.role = role
    self.messageBytesLimit = messageBytesLimit
    self.acceptsBinary = acceptsBinary
    self.deflate = deflate
    reservedBits = WebSocketFrameHead.reservedBits & (deflate == nil ? 0xFF : ~WebSocketFrameHead.compressedBit)
  }

  /// Whether fragments of a message have come, and its last one has not.
  public var isInsideMessage: Bool { fragmented != nil }

  /// Bytes of memory it owns; what `deflate` owns is not among them.
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
    if inflating != nil, let event = try inflate(&input) { return event }
    while inflating == nil, let head = try WebSocketFrameHead(input.readable, role: role, reserved: reservedBits) {
      if head.isCompressed || (isCompressed && head.opcode == .continuation) {
        try begin(head)
        input.consume(head.headBytes)
        if let event = try inflate(&input) { return event }
        continue
      }
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
    guard !head.opcode.isControl else { return }
    try checkOrder(head)
    guard head.payloadBytes <= UInt64(messageBytesLimit - joined.count) else {
      throw .tooLarge(messageBytesLimit)
    }
  }

  private func checkOrder(_ head: WebSocketFrameHead) throws(WebSocketError) {
    guard head.opcode != .continuation else {
      guard fragmented != nil else { throw .violation("a continuation without a message to continue") }
      return
    }
    guard fragmented == nil else { throw .violation("a new message inside a fragmented one") }
    guard head.opcode == .text || acceptsBinary else {
      throw WebSocketError(closeCode: 1003, reason: "text frames only")
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
    try countFragment()
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

  private mutating func countFragment() throws(WebSocketError) {
    fragments += 1
    guard fragments <= Self.tinyFragmentsLimit || joined.count >= (fragments - 1) * Self.fragmentBytes else {
      throw WebSocketError(
        closeCode: 1009,
        reason: "message exceeds limit of \(Self.tinyFragmentsLimit) fragments of less than \(Self.fragmentBytes) bytes"
      )
    }
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

// MARK: - Compressed messages

extension WebSocketDecoder {
  /// What is left of a frame whose payload is inflated as it comes.
  private struct InflatingFrame {
    var payloadBytes: Int
    var mask: UInt32?
    var offset = 0
    var isFinal: Bool
  }

  /// Takes the head of a compressed message's frame.
  private mutating func begin(_ head: WebSocketFrameHead) throws(WebSocketError) {
    guard let deflate else { return }
    try checkOrder(head)
    if head.opcode != .continuation {
      try deflate.begin()
      fragmented = head.opcode
      isCompressed = true
      fragments = 0
    }
    guard deflate.allows(head.payloadBytes, messageBytesLimit: messageBytesLimit) else {
      throw .tooLarge(messageBytesLimit)
    }
    try countFragment()
    inflating = InflatingFrame(payloadBytes: Int(head.payloadBytes), mask: head.mask, isFinal: head.isFinal)
  }

  /// Inflates what has come of the frame; nil: the message goes on.
  private mutating func inflate(_ input: inout ByteBuffer) throws(WebSocketError) -> WebSocketEvent? {
    guard var frame = inflating, let deflate else { return nil }
    let count = min(frame.payloadBytes - frame.offset, input.count)
    let fresh = UnsafeMutableRawBufferPointer(rebasing: input.readableMutable[..<count])
    if let mask = frame.mask { WebSocketMask.apply(mask, to: fresh, offset: frame.offset) }
    frame.offset += count
    let isWhole = frame.offset == frame.payloadBytes
    let isLast = isWhole && frame.isFinal
    let isText = fragmented == .text
    let before = joined.count
    let failure = inflate(UnsafeRawBufferPointer(fresh), deflate, isLast: isLast)
    input.consume(count)
    inflating = isWhole ? nil : frame
    if isText {
      // What came before the failure failed before it, wherever the stream is cut.
      let text = UnsafeRawBufferPointer(rebasing: joined.readable[before...])
      guard validator.validate(text) else { throw .notUTF8 }
    }
    if let failure { throw failure }
    if isLast, isText, !validator.isComplete { throw .notUTF8 }
    guard isLast else { return nil }
    fragmented = nil
    isCompressed = false
    joinedIsHandedOver = true
    return isText ? .text(joined.readable) : .binary(joined.readable)
  }

  private mutating func inflate(
    _ compressed: UnsafeRawBufferPointer, _ deflate: MessageDeflate, isLast: Bool
  ) -> WebSocketError? {
    do throws(WebSocketError) {
      try deflate.inflate(compressed, into: &joined, messageBytesLimit: messageBytesLimit)
      if isLast { try deflate.end(&joined, messageBytesLimit: messageBytesLimit) }
      return nil
    } catch {
      return error
    }
  }
}
