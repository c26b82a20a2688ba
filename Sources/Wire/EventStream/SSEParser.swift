import Bytes

/// One event of a stream. Borrowed while it is handled.
public struct SSEEvent {
  /// `message` when the stream named none.
  public var name: UnsafeRawBufferPointer
  /// The last id that was set, also by an earlier event.
  public var id: UnsafeRawBufferPointer
  /// The data lines, joined by newlines.
  public var data: UnsafeRawBufferPointer
}

/// An event or a line outgrew its bound.
public struct SSEError: Error, Equatable, Sendable {
  public var limitBytes: Int
}

/// Bytes to server-sent events (WHATWG HTML 9.2.6), cut anywhere. An event that its blank line did not end is dropped.
///
/// One owner, one thread. Memory is bounded by the event limit and kept between events.
public struct SSEParser: ~Copyable {
  private let eventBytesLimit: Int
  private var line = ByteBuffer()
  private var data = ByteBuffer()
  private var hasData = false
  private var name = ByteBuffer()
  private var id = ByteBuffer()
  /// A CR ended the last line: an LF that follows belongs to it.
  private var endedWithCR = false
  private var isAtStart = true

  /// - Parameter eventBytesLimit: bytes of one line, and of one event's data.
  public init(eventBytesLimit: Int = 1 << 20) { self.eventBytesLimit = eventBytesLimit }

  /// Takes bytes and hands over each event they complete.
  public mutating func feed(_ bytes: UnsafeRawBufferPointer, _ onEvent: (SSEEvent) -> Void) throws(SSEError) {
    var start = 0
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      guard byte == 0x0A || byte == 0x0D else {
        endedWithCR = false
        index &+= 1
        continue
      }
      if byte == 0x0A, endedWithCR, start == index {
        endedWithCR = false
        index &+= 1
        start = index
        continue
      }
      endedWithCR = byte == 0x0D
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<index])
      index &+= 1
      start = index
      try finishLine(piece, onEvent)
    }
    let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
    try check(line.count, rest.count)
    line.append(rest)
  }

  private func check(_ bytes: Int, _ more: Int) throws(SSEError) {
    guard more <= eventBytesLimit, bytes <= eventBytesLimit - more else { throw SSEError(limitBytes: eventBytesLimit) }
  }

  private mutating func finishLine(_ piece: UnsafeRawBufferPointer, _ onEvent: (SSEEvent) -> Void) throws(SSEError) {
    try check(line.count, piece.count)
    if line.isEmpty {
      try take(piece, onEvent)
    } else {
      line.append(piece)
      let whole = line.readable
      try take(whole, onEvent)
      line.removeAll(keeping: 64 << 10)
    }
  }

  private mutating func take(_ text: UnsafeRawBufferPointer, _ onEvent: (SSEEvent) -> Void) throws(SSEError) {
    var text = text
    if isAtStart {
      isAtStart = false
      if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = UnsafeRawBufferPointer(rebasing: text[3...]) }
    }
    if text.isEmpty { return dispatch(onEvent) }
    guard let colon = text.firstIndex(of: 0x3A) else {
      return try field(text, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    if colon == 0 { return }
    var value = UnsafeRawBufferPointer(rebasing: text[(colon + 1)...])
    if value.first == 0x20 { value = UnsafeRawBufferPointer(rebasing: value[1...]) }
    try field(UnsafeRawBufferPointer(rebasing: text[..<colon]), value)
  }

  private mutating func field(_ field: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(SSEError) {
    if field.elementsEqual("data".utf8) {
      try check(data.count + 1, value.count)
      if hasData { data.append(0x0A) }
      hasData = true
      data.append(value)
    } else if field.elementsEqual("event".utf8) {
      name.removeAll(keeping: 1024)
      name.append(value)
    } else if field.elementsEqual("id".utf8), !value.contains(0) {
      id.removeAll(keeping: 1024)
      id.append(value)
    }
  }

  private mutating func dispatch(_ onEvent: (SSEEvent) -> Void) {
    if hasData {
      let message: StaticString = "message"
      let unnamed = UnsafeRawBufferPointer(start: message.utf8Start, count: message.utf8CodeUnitCount)
      onEvent(SSEEvent(name: name.isEmpty ? unnamed : name.readable, id: id.readable, data: data.readable))
    }
    hasData = false
    data.removeAll(keeping: 64 << 10)
    name.removeAll(keeping: 1024)
  }
}
