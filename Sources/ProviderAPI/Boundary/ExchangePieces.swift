import Bytes

/// One thing received: an event, or bytes of a body.
enum ExchangePiece {
  case event(SSEMessage)
  case chunk(UnsafeRawBufferPointer)
}

/// What was received and not yet read, in one run of memory: for each piece three lengths and its bytes, so that a
/// stream of small events costs no allocation.
struct ExchangePieces: ~Copyable, @unchecked Sendable {  // its buffer is its own
  private var buffer = ByteBuffer()
  /// Bytes of the piece that was handed out last and may still be looked at.
  private var shownBytes = 0

  private struct Head {
    /// `UInt32.max`: a chunk.
    var event: UInt32
    var id: UInt32
    var data: UInt32
  }

  /// What the lengths of one piece take.
  static var headBytes: Int { MemoryLayout<Head>.size }

  /// Bytes that wait, lengths included.
  var count: Int { buffer.count - shownBytes }

  mutating func append(event: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer) {
    append(Head(event: UInt32(event.count), id: UInt32(id.count), data: UInt32(data.count)))
    buffer.append(event)
    buffer.append(id)
    buffer.append(data)
  }

  mutating func append(chunk: UnsafeRawBufferPointer) {
    append(Head(event: .max, id: 0, data: UInt32(chunk.count)))
    buffer.append(chunk)
  }

  private mutating func append(_ head: Head) { withUnsafeBytes(of: head) { buffer.append($0) } }

  /// The next piece, valid until the next call; nil when there is none.
  mutating func next() -> ExchangePiece? {
    buffer.consume(shownBytes)
    shownBytes = 0
    guard !buffer.isEmpty else { return nil }
    let bytes = buffer.readable
    let head = bytes.loadUnaligned(as: Head.self)
    var position = MemoryLayout<Head>.size
    func take(_ length: UInt32) -> UnsafeRawBufferPointer {
      defer { position += Int(length) }
      return UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(length)])
    }
    defer { shownBytes = position }
    if head.event == .max { return .chunk(take(head.data)) }
    let event = take(head.event)
    let id = take(head.id)
    return .event(SSEMessage(event: event, id: id, data: take(head.data)))
  }

  /// Drops what was shown, keeps the memory for the next pieces.
  mutating func recycle() {
    buffer.removeAll(keeping: 64 << 10)
    shownBytes = 0
  }
}
