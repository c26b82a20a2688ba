public import Bytes

/// What a body decoder found.
public enum HTTPBodyEvent {
  /// A piece of the body; borrowed until the decoder's next call.
  case bytes(UnsafeRawBufferPointer)
  /// The body is whole. What follows in the input is the next message.
  case end
}

/// Bytes to a body (RFC 9112 §6, §7.1) by whatever delimits it, bounded, handed over where it lies.
///
/// Chunks are read strictly: hexadecimal sizes, CRLF only, extensions and trailers checked, then ignored.
public struct HTTPBodyDecoder: ~Copyable {
  /// A chunk's size line with its extensions, without CRLF.
  static let chunkLineBytes = 256
  /// Of a chunk's size, leading zeros counted: more would not fit 64 bits, and no sender writes them.
  static let chunkSizeDigits = 16

  private enum State {
    case length(UInt64)
    case chunkSize
    case chunk(UInt64)
    case chunkEnd
    case trailer
    case untilClose
    case ended
  }

  private var state: State
  private let bodyBytesLimit: UInt64
  private var received: UInt64 = 0
  private var trailer: HTTPHeadReader
  /// Bytes of the input that were handed over last time.
  private var consumed = 0

  /// Of a message without a body.
  init() {
    state = .ended
    bodyBytesLimit = 0
    trailer = HTTPHeadReader(limits: HTTPLimits(), firstLineStatus: 431)
  }

  /// What the announced length leaves to come; 0 where none was announced.
  var announcedBytesLeft: UInt64 { if case .length(let left) = state { left } else { 0 } }

  /// Throws 413 when the length that was announced is beyond the limit.
  public init(_ length: HTTPBodyLength, bodyBytesLimit: Int, limits: HTTPLimits = HTTPLimits()) throws(HTTPError) {
    self.bodyBytesLimit = UInt64(max(0, bodyBytesLimit))
    trailer = HTTPHeadReader(limits: limits, firstLineStatus: 431)
    switch length {
    case .none: state = .ended
    case .bytes(let bytes):
      guard bytes <= self.bodyBytesLimit else { throw Self.tooLarge(self.bodyBytesLimit) }
      state = bytes == 0 ? .ended : .length(bytes)
    case .chunked: state = .chunkSize
    case .untilClose: state = .untilClose
    }
  }

  /// Takes the next piece out of `input`; nil: more bytes are needed. After `.end` it is `.end` for ever.
  ///
  /// Leave `input` alone while a piece is in use.
  public mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> HTTPBodyEvent? {
    input.consume(consumed)
    consumed = 0
    while true {
      switch state {
      case .ended: return .end
      case .length(let left):
        guard let piece = piece(of: input, upTo: left) else { return nil }
        let rest = left - UInt64(piece.count)
        state = rest == 0 ? .ended : .length(rest)
        return .bytes(piece)
      case .chunk(let left):
        guard let piece = piece(of: input, upTo: left) else { return nil }
        let rest = left - UInt64(piece.count)
        state = rest == 0 ? .chunkEnd : .chunk(rest)
        return .bytes(piece)
      case .untilClose:
        guard let piece = piece(of: input, upTo: .max) else { return nil }
        try count(UInt64(piece.count))
        return .bytes(piece)
      case .chunkSize:
        guard let size = try chunkSize(&input) else { return nil }
        try count(size)
        state = size == 0 ? .trailer : .chunk(size)
      case .chunkEnd:
        guard try chunkEnded(&input) else { return nil }
        state = .chunkSize
      case .trailer:
        guard let length = try trailer.length(of: input.readable) else { return nil }
        _ = try trailer.headers(trailer.lines(UnsafeRawBufferPointer(rebasing: input.readable[..<length]))[...])
        input.consume(length)
        state = .ended
      }
    }
  }

  /// Whether the body is whole now that the peer sends no more; false: it was cut off.
  public func isWholeAtClose() -> Bool {
    switch state {
    case .untilClose, .ended: true
    case .length, .chunkSize, .chunk, .chunkEnd, .trailer: false
    }
  }

  private mutating func piece(of input: borrowing ByteBuffer, upTo left: UInt64) -> UnsafeRawBufferPointer? {
    guard !input.isEmpty else { return nil }
    consumed = Int(min(UInt64(input.count), left))
    return UnsafeRawBufferPointer(rebasing: input.readable[..<consumed])
  }

  private mutating func count(_ bytes: UInt64) throws(HTTPError) {
    guard bytes <= bodyBytesLimit - received else { throw Self.tooLarge(bodyBytesLimit) }
    received += bytes
  }

  private static func tooLarge(_ limit: UInt64) -> HTTPError {
    HTTPError(status: 413, reason: "the body has more than \(limit) bytes")
  }

  private mutating func chunkSize(_ input: inout ByteBuffer) throws(HTTPError) -> UInt64? {
    let bytes = input.readable
    guard let newline = bytes.prefix(Self.chunkLineBytes + 2).firstIndex(of: 0x0A) else {
      guard bytes.count < Self.chunkLineBytes + 2 else {
        throw HTTPError(status: 400, reason: "a chunk's size line has more than \(Self.chunkLineBytes) bytes")
      }
      return nil
    }
    guard newline > 0, bytes[newline - 1] == 0x0D else {
      throw HTTPError(status: 400, reason: "a chunk's size line ends without CRLF")
    }
    let line = bytes[..<(newline - 1)]
    let digits = line.prefix { $0 != 0x3B }
    guard (1...Self.chunkSizeDigits).contains(digits.count), digits.allSatisfy({ HTTPText.hexValue($0) != nil }) else {
      throw HTTPError(status: 400, reason: "a chunk begins without a hexadecimal size")
    }
    guard line[digits.endIndex...].allSatisfy(HTTPText.isFieldContent) else {
      throw HTTPError(status: 400, reason: "a chunk's extension has a control character")
    }
    let size = digits.reduce(0) { $0 << 4 | UInt64(HTTPText.hexValue($1) ?? 0) }
    guard size <= bodyBytesLimit else { throw Self.tooLarge(bodyBytesLimit) }
    input.consume(newline + 1)
    return size
  }

  private func chunkEnded(_ input: inout ByteBuffer) throws(HTTPError) -> Bool {
    let bytes = input.readable
    guard bytes.count < 1 || bytes[0] == 0x0D, bytes.count < 2 || bytes[1] == 0x0A else {
      throw HTTPError(status: 400, reason: "a chunk is longer than its size")
    }
    guard bytes.count >= 2 else { return false }
    input.consume(2)
    return true
  }
}
