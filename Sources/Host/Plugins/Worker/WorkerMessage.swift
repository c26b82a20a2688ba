internal import Bytes

/// Writes messages of fields: numbers little-endian, texts and bytes with their length before them.
extension ByteBuffer {
  mutating func appendField(_ value: UInt32) {
    withUnsafeBytes(of: value.littleEndian) { append($0) }
  }

  mutating func appendField(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { append($0) }
  }

  mutating func appendField(_ bytes: UnsafeRawBufferPointer) {
    appendField(UInt32(truncatingIfNeeded: bytes.count))
    append(bytes)
  }

  mutating func appendField(_ text: String) {
    var text = text
    text.withUTF8 { appendField(UnsafeRawBufferPointer($0)) }
  }

  mutating func appendField(_ bytes: [UInt8]) { bytes.withUnsafeBytes { appendField($0) } }

  /// Appends one message: its frames, with `write` for the payload.
  mutating func appendMessage(
    _ kind: WorkerFrame.Kind, call: UInt64 = 0, _ write: (inout ByteBuffer) -> Void = { _ in }
  ) {
    let start = count
    appendHeader(kind, call)
    write(&self)
    let length = count - start - WorkerFrame.headerBytes
    guard length > WorkerFrame.payloadBytesLimit else { return setLength(length, more: false, at: start) }
    // Rare, so it may copy: the payload is taken out again and put back in pieces.
    var payload = [UInt8](readable[(start + WorkerFrame.headerBytes)...])[...]
    truncate(to: start)
    while !payload.isEmpty {
      let piece = payload.prefix(WorkerFrame.payloadBytesLimit)
      payload = payload.dropFirst(piece.count)
      let start = count
      appendHeader(kind, call)
      piece.withUnsafeBytes { append($0) }
      setLength(piece.count, more: !payload.isEmpty, at: start)
    }
  }

  private mutating func appendHeader(_ kind: WorkerFrame.Kind, _ call: UInt64) {
    appendField(UInt32(0))
    withUnsafeBytes(of: kind.rawValue.littleEndian) { append($0) }
    withUnsafeBytes(of: UInt16(0)) { append($0) }
    appendField(call)
  }

  private mutating func setLength(_ length: Int, more: Bool, at start: Int) {
    let header = UnsafeMutableRawBufferPointer(rebasing: readableMutable[start...])
    header.storeBytes(of: UInt32(truncatingIfNeeded: length).littleEndian, as: UInt32.self)
    header.storeBytes(of: (more ? WorkerFrame.moreFlag : 0).littleEndian, toByteOffset: 6, as: UInt16.self)
  }
}

/// Reads the fields of one message, trusting none of its lengths. What it returns is borrowed from the message.
struct WorkerFieldReader {
  private var rest: UnsafeRawBufferPointer
  private let kind: WorkerFrame.Kind

  init(_ message: WorkerFrameDecoder.Message) {
    rest = message.payload
    kind = message.kind
  }

  mutating func u32() throws(WorkerFrameFault) -> UInt32 {
    UInt32(littleEndian: try take(4).loadUnaligned(as: UInt32.self))
  }

  mutating func u64() throws(WorkerFrameFault) -> UInt64 {
    UInt64(littleEndian: try take(8).loadUnaligned(as: UInt64.self))
  }

  mutating func flag() throws(WorkerFrameFault) -> Bool {
    switch try u32() {
    case 0: return false
    case 1: return true
    case let other: throw WorkerFrameFault(found: "\(other) in \(kind)", expected: "0 or 1")
    }
  }

  mutating func bytes(limit: Int) throws(WorkerFrameFault) -> UnsafeRawBufferPointer {
    let count = Int(try u32())
    guard count <= limit else {
      throw WorkerFrameFault(found: "\(count) bytes in \(kind)", expected: "at most \(limit)")
    }
    return try take(count)
  }

  /// Text that is UTF-8.
  mutating func utf8(limit: Int) throws(WorkerFrameFault) -> UnsafeRawBufferPointer {
    let text = try bytes(limit: limit)
    guard text.isEmpty || UTF8Validator.isValid(text) else {
      throw WorkerFrameFault(found: "a text in \(kind) that is not UTF-8", expected: "UTF-8")
    }
    return text
  }

  mutating func text(limit: Int) throws(WorkerFrameFault) -> String {
    String(decoding: try utf8(limit: limit), as: UTF8.self)
  }

  /// Nothing may be left over.
  func end() throws(WorkerFrameFault) {
    guard rest.isEmpty else {
      throw WorkerFrameFault(found: "\(rest.count) bytes too many in \(kind)", expected: "none")
    }
  }

  private mutating func take(_ count: Int) throws(WorkerFrameFault) -> UnsafeRawBufferPointer {
    guard count <= rest.count else {
      throw WorkerFrameFault(found: "\(rest.count) bytes left in \(kind)", expected: "\(count)")
    }
    let taken = UnsafeRawBufferPointer(rebasing: rest[..<count])
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    return taken
  }
}
