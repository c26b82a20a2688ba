internal import Bytes

/// What stands before each frame between a host and a worker: 16 bytes, little-endian.
///
///     u32 length of what follows the header; u16 kind; u16 flags; u64 call
///
/// A message is one frame, or several of the same kind and call in a row, all but the last with `moreFlag`.
struct WorkerFrame {
  static let headerBytes = 16
  /// Of what follows the header of one frame.
  static let payloadBytesLimit = 1 << 20
  static let moreFlag: UInt16 = 1

  /// Which way a message goes decides which kinds are expected.
  enum Kind: UInt16, Sendable, CaseIterable {
    // The control channel, host to worker.
    case create = 1
    case stop = 2
    case destroy = 3
    case ping = 4
    case logLevel = 5
    // The control channel, worker to host.
    case hello = 16
    case created = 17
    case refusedToCreate = 18
    case destroyed = 19
    case pong = 20
    // A loop's channel, host to worker.
    case open = 32
    case cancel = 33
    case credit = 34
    case exchangeConnected = 40
    case exchangeHead = 41
    case exchangeBody = 42
    case exchangeEvent = 43
    case exchangeComplete = 44
    // A loop's channel, worker to host.
    case refused = 64
    case event = 65
    case done = 66
    case exchangeRequest = 72
    case exchangeCancel = 73
    case exchangePause = 74
    case exchangeResume = 75
    case exchangeCredit = 76

    /// Bytes of a whole message of this kind, its frames together.
    var messageBytesLimit: Int {
      switch self {
      // A description, settings, a body of 64 MiB with its head.
      case .create: 8 << 20
      case .open, .exchangeRequest: 66 << 20
      // Three texts of an event, at most 16 MiB each.
      case .event: 48 << 20 + 64
      // A head of 64 KiB, a piece of a body, an event of a stream of 1 MiB with its id.
      case .exchangeHead, .exchangeBody: 4 << 20
      case .exchangeEvent: 4 << 20
      default: 64 << 10
      }
    }
  }
}

/// What one side found in what the other sent: the protocol is broken, and nothing more of it can be read.
struct WorkerFrameFault: Error, Equatable, CustomStringConvertible {
  var found: String
  var expected: String

  var description: String { "found \(found), expected \(expected)" }
}

/// Cuts a stream of bytes into messages.
///
/// Owner: one channel; one thread. After a fault it must not be fed again.
struct WorkerFrameDecoder: ~Copyable {
  /// A whole message; `payload` is borrowed.
  struct Message {
    var kind: WorkerFrame.Kind
    var call: UInt64
    var payload: UnsafeRawBufferPointer
  }

  private struct Header {
    var length: Int
    var kind: WorkerFrame.Kind
    var hasMore: Bool
    var call: UInt64
  }

  private let accepted: Set<WorkerFrame.Kind>
  /// Bytes of a frame that is not whole yet.
  private var pending = ByteBuffer()
  /// Frames of a message that is not whole yet.
  private var joined = ByteBuffer()
  private var open: (kind: WorkerFrame.Kind, call: UInt64)?

  /// - Parameter accepted: the kinds that the other side may send.
  init(accepting accepted: Set<WorkerFrame.Kind>) { self.accepted = accepted }

  /// Bytes that wait for the rest of a frame or message.
  var waitingBytes: Int { pending.count + joined.count }

  /// Takes `bytes` and hands over each message that is whole by that, in order. Throws what is wrong with the stream, or
  /// what `body` throws.
  mutating func feed(_ bytes: UnsafeRawBufferPointer, _ body: (Message) throws(WorkerFrameFault) -> Void)
    throws(WorkerFrameFault)
  {
    guard pending.isEmpty else {
      pending.append(bytes)
      // Messages borrow from the bytes while others may be waited for, so these are set apart.
      var whole = ByteBuffer.exchange(&pending)
      let taken = try take(whole.readable, body)
      whole.consume(taken)
      swap(&pending, &whole)
      return
    }
    let taken = try take(bytes, body)
    pending.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
  }

  /// How much of `bytes` was whole frames.
  private mutating func take(_ bytes: UnsafeRawBufferPointer, _ body: (Message) throws(WorkerFrameFault) -> Void)
    throws(WorkerFrameFault) -> Int
  {
    var position = 0
    while bytes.count - position >= WorkerFrame.headerBytes {
      let header = try Self.header(bytes, at: position)
      guard accepted.contains(header.kind) else {
        throw WorkerFrameFault(found: "a frame of kind \(header.kind)", expected: "one that this side may send")
      }
      let start = position + WorkerFrame.headerBytes
      guard bytes.count - start >= header.length else { break }
      let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<start + header.length])
      position = start + header.length
      try add(header, payload, body)
    }
    return position
  }

  private mutating func add(
    _ header: Header, _ payload: UnsafeRawBufferPointer, _ body: (Message) throws(WorkerFrameFault) -> Void
  ) throws(WorkerFrameFault) {
    guard let open else {
      guard header.hasMore else {
        return try body(Message(kind: header.kind, call: header.call, payload: payload))
      }
      open = (header.kind, header.call)
      return try join(header, payload)
    }
    guard open == (header.kind, header.call) else {
      throw WorkerFrameFault(
        found: "a frame of \(header.kind) for call \(header.call)",
        expected: "the rest of \(open.kind) for call \(open.call)")
    }
    try join(header, payload)
    guard !header.hasMore else { return }
    self.open = nil
    var whole = ByteBuffer.exchange(&joined)
    try body(Message(kind: header.kind, call: header.call, payload: whole.readable))
    whole.removeAll()
  }

  private mutating func join(_ header: Header, _ payload: UnsafeRawBufferPointer) throws(WorkerFrameFault) {
    guard joined.count + payload.count <= header.kind.messageBytesLimit else {
      throw WorkerFrameFault(
        found: "a message of \(header.kind) of more than \(joined.count) bytes",
        expected: "at most \(header.kind.messageBytesLimit)")
    }
    joined.append(payload)
  }

  private static func header(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(WorkerFrameFault) -> Header {
    let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
    let kind = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt16.self))
    let flags = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 6, as: UInt16.self))
    let call = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 8, as: UInt64.self))
    guard length <= UInt32(WorkerFrame.payloadBytesLimit) else {
      throw WorkerFrameFault(
        found: "a frame of \(length) bytes", expected: "at most \(WorkerFrame.payloadBytesLimit)")
    }
    guard let kind = WorkerFrame.Kind(rawValue: kind) else {
      throw WorkerFrameFault(found: "a frame of kind \(kind)", expected: "a kind that is known")
    }
    guard flags & ~WorkerFrame.moreFlag == 0 else {
      throw WorkerFrameFault(found: "a frame with flags \(flags)", expected: "0 or \(WorkerFrame.moreFlag)")
    }
    guard Int(length) <= kind.messageBytesLimit else {
      throw WorkerFrameFault(
        found: "a message of \(kind) of \(length) bytes", expected: "at most \(kind.messageBytesLimit)")
    }
    return Header(length: Int(length), kind: kind, hasMore: flags & WorkerFrame.moreFlag != 0, call: call)
  }
}

extension ByteBuffer {
  /// Takes a buffer's content and leaves an empty one.
  fileprivate static func exchange(_ buffer: inout ByteBuffer) -> ByteBuffer {
    var other = ByteBuffer()
    swap(&buffer, &other)
    return other
  }
}
