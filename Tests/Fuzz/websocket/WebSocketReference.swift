/// RFC 6455 §5 read the slow way: the whole stream is there, a frame is taken apart as the picture in §5.2 has it, and a
/// message's text is checked from its start each time.
struct WebSocketReference {
  let isServer: Bool
  let limit: Int
  let acceptsBinary: Bool
  /// The kind of the message whose fragments are in `joined`.
  private var fragmented: UInt8?
  private var joined: [UInt8] = []

  init(isServer: Bool, limit: Int, acceptsBinary: Bool) {
    self.isServer = isServer
    self.limit = limit
    self.acceptsBinary = acceptsBinary
  }

  /// Notes messages and, last, the close code of what is wrong.
  mutating func read(_ stream: UnsafeRawBufferPointer, _ trace: inout Trace) {
    var rest = stream[...]
    while let head = Head(rest, isServer) {
      guard head.fault == nil else { return trace.note(UInt8(ascii: "!"), head.fault!) }
      guard head.isWhole else { return }
      if let fault = refusal(head) { return trace.note(UInt8(ascii: "!"), fault) }
      let there = rest.dropFirst(head.size).prefix(head.length)
      let payload = there.enumerated().map { head.key.isEmpty ? $1 : $1 ^ head.key[$0 % 4] }
      let isWhole = payload.count == head.length
      if let fault = take(head, payload, isWhole, &trace) { return trace.note(UInt8(ascii: "!"), fault) }
      guard isWhole else { return }
      rest = rest.dropFirst(head.size + head.length)
    }
  }

  private func refusal(_ head: Head) -> Int? {
    if head.opcode >= 8 { return nil }
    if (head.opcode == 0) != (fragmented != nil) { return 1002 }
    if head.opcode == 2 && !acceptsBinary { return 1003 }
    return head.length > limit - joined.count ? 1009 : nil
  }

  private mutating func take(_ head: Head, _ payload: [UInt8], _ isWhole: Bool, _ trace: inout Trace) -> Int? {
    switch head.opcode {
    case 8: return isWhole ? close(payload, &trace) : nil
    case 9, 10:
      if isWhole { payload.withUnsafeBytes { trace.note(head.opcode, $0) } }
      return nil
    default: break
    }
    let kind = fragmented ?? head.opcode
    let message = joined + payload
    if kind == 1 {
      switch message.withUnsafeBytes({ ReferenceUTF8.check($0) }) {
      case .wrong: return 1007
      case .unfinished where isWhole && head.isFinal: return 1007
      case .unfinished, .whole: break
      }
    }
    guard isWhole else { return nil }
    if head.isFinal {
      message.withUnsafeBytes { trace.note(kind, $0) }
      (fragmented, joined) = (nil, [])
    } else {
      (fragmented, joined) = (kind, message)
    }
    return nil
  }

  private func close(_ payload: [UInt8], _ trace: inout Trace) -> Int? {
    if payload.count == 1 { return 1002 }
    let code = payload.isEmpty ? 0 : Int(payload[0]) * 256 + Int(payload[1])
    let mayBeSent = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].contains(code)
    if !payload.isEmpty && !mayBeSent && !(3000...4999).contains(code) { return 1002 }
    let reason = Array(payload.dropFirst(2))
    guard reason.withUnsafeBytes({ ReferenceUTF8.check($0) }) == .whole else { return 1007 }
    reason.withUnsafeBytes { trace.note(8, code, $0) }
    return nil
  }
}

extension WebSocketReference {
  /// What stands before a payload.
  fileprivate struct Head {
    var isFinal = false
    var opcode: UInt8 = 0
    var key: [UInt8] = []
    var length = 0
    /// The head's own bytes.
    var size = 2
    /// A close code: what is there is wrong already.
    var fault: Int?
    var isWhole = false

    /// nil: there is not one byte.
    init?(_ bytes: Slice<UnsafeRawBufferPointer>, _ isServer: Bool) {
      let bytes = Array(bytes.prefix(14))
      guard let first = bytes.first else { return nil }
      isFinal = first >= 128
      opcode = first % 16
      if first & 0b0111_0000 != 0 || ![0, 1, 2, 8, 9, 10].contains(opcode) || (opcode >= 8 && !isFinal) {
        fault = 1002
      }
      guard fault == nil, bytes.count > 1 else { return }
      let isMasked = bytes[1] >= 128
      let short = Int(bytes[1] % 128)
      if isMasked != isServer || (opcode >= 8 && short > 125) { fault = 1002 }
      let wide = short == 126 ? 2 : short == 127 ? 8 : 0
      size = 2 + wide + (isMasked ? 4 : 0)
      guard fault == nil, bytes.count >= 2 + wide else { return }
      length = short
      if wide > 0 {
        let value = bytes[2..<2 + wide].reduce(UInt64(0)) { $0 * 256 + UInt64($1) }
        let isShortest = wide == 2 ? value >= 126 : value >= 65_536
        if !isShortest || value > UInt64(Int64.max) { fault = 1002 } else { length = Int(value) }
      }
      guard fault == nil, bytes.count >= size else { return }
      if isMasked { key = Array(bytes[(size - 4)..<size]) }
      isWhole = true
    }
  }
}
