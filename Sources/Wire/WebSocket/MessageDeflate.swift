public import Bytes

/// How far a connection's compression may go; the same for every connection of a host.
public struct DeflateLimits: Equatable, Sendable {
  /// Messages with fewer bytes are sent as they are.
  public var thresholdBytes: Int
  /// How many bytes one compressed byte may become, on average over a message, beyond `freeBytes`.
  public var ratio: Int

  public init(thresholdBytes: Int, ratio: Int) {
    self.thresholdBytes = thresholdBytes
    self.ratio = ratio
  }

  /// What a message may inflate to whatever its ratio: less work than many an honest message is.
  public static let freeBytes = 1 << 20
}

/// zlib's states for the connections of one loop, lent message by message to those that keep none of their own.
///
/// Nothing is made before the first compressed message. At rest it keeps at most `inflatersKept` × 40 KiB and, for each
/// window size that was agreed on, one deflater. Thread: the loop's.
public final class DeflateContexts {
  let zlib: Zlib
  private var inflaters: [Inflater] = []
  private var deflaters: [Deflater?] = Array(repeating: nil, count: 16)
  /// Connections that keep states of their own, or may.
  public internal(set) var keepers = 0
  /// The compressed form of whichever message is sent now.
  var scratch = ByteBuffer()

  static let inflatersKept = 4

  public init(zlib: Zlib) { self.zlib = zlib }

  /// A state with an empty window, of the largest size; nil: no memory.
  func takeInflater() -> Inflater? {
    inflaters.popLast() ?? Inflater(zlib, windowBits: DeflateTerms.windowBits.upperBound)
  }

  func giveBack(_ inflater: Inflater) {
    guard inflaters.count < Self.inflatersKept else { return }
    inflater.reset()
    inflaters.append(inflater)
  }

  /// The loop's own, with an empty window; nil: no memory.
  func sharedDeflater(windowBits: Int) -> Deflater? {
    if let known = deflaters[windowBits] {
      known.reset()
      return known
    }
    deflaters[windowBits] = Deflater(zlib, windowBits: windowBits)
    return deflaters[windowBits]
  }
}

/// permessage-deflate of one connection (RFC 7692): its messages in and out.
///
/// It owns zlib's states only as far as contexts were agreed on, from the first compressed message on. Thread: the loop's.
public final class MessageDeflate {
  let terms: DeflateTerms
  public let limits: DeflateLimits
  private let contexts: DeflateContexts
  /// Of the message that comes, or kept for the next one.
  private(set) var inflater: Inflater?
  /// Kept for the next message.
  private(set) var deflater: Deflater?
  /// Compressed bytes of the message that comes.
  private var compressedBytes = 0

  public init(_ terms: DeflateTerms, limits: DeflateLimits, contexts: DeflateContexts) {
    self.terms = terms
    self.limits = limits
    self.contexts = contexts
    if keepsContext { contexts.keepers += 1 }
  }

  deinit { if keepsContext { contexts.keepers -= 1 } }

  private var keepsContext: Bool { terms.serverKeepsContext || terms.clientKeepsContext }

  /// Bytes of memory that its own states take, about.
  public var heldBytes: Int {
    (inflater == nil ? 0 : Inflater.bytes(windowBits: terms.clientWindowBits))
      + (deflater == nil ? 0 : Deflater.bytes(windowBits: terms.serverWindowBits))
  }

  // MARK: - In

  /// Whether the message that comes may have `payloadBytes` more on the wire, when it may inflate to `messageBytesLimit`:
  /// what does not shrink grows by some bytes in each block.
  func allows(_ payloadBytes: UInt64, messageBytesLimit: Int) -> Bool {
    payloadBytes <= UInt64(messageBytesLimit + messageBytesLimit / 4 + 64 - compressedBytes)
  }

  /// Begins a message. No bytes of one are under way.
  func begin() throws(WebSocketError) {
    compressedBytes = 0
    guard inflater == nil else { return }
    inflater =
      terms.clientKeepsContext
      ? Inflater(contexts.zlib, windowBits: terms.clientWindowBits) : contexts.takeInflater()
    guard inflater != nil else { throw WebSocketError(closeCode: 1011, reason: "no memory to inflate a message") }
  }

  /// Appends what `compressed` makes to the message. It never holds more than `messageBytesLimit`.
  func inflate(
    _ compressed: UnsafeRawBufferPointer, into message: inout ByteBuffer, messageBytesLimit: Int
  ) throws(WebSocketError) {
    guard !compressed.isEmpty else { return }
    let bounds = Inflater.Bounds(
      limit: messageBytesLimit, ratio: limits.ratio, freeBytes: DeflateLimits.freeBytes, readBefore: compressedBytes)
    compressedBytes += compressed.count
    switch inflater?.inflate(compressed, into: &message, bounds) ?? .corrupt {
    case .drained: break
    case .corrupt: throw .notDeflate
    case .full: throw .tooLarge(messageBytesLimit)
    case .tooDense:
      throw WebSocketError(closeCode: 1009, reason: "message inflates to more than \(limits.ratio) times its bytes")
    }
  }

  /// Ends a message: its last block must be whole.
  func end(_ message: inout ByteBuffer, messageBytesLimit: Int) throws(WebSocketError) {
    // What every message is sent without (RFC 7692 §7.2.2).
    var tail: UInt32 = 0xFFFF_0000
    let outcome = withUnsafeBytes(of: &tail) { tail in
      inflater?.inflate(tail, into: &message, Inflater.Bounds(limit: messageBytesLimit)) ?? .corrupt
    }
    guard outcome != .full else { throw .tooLarge(messageBytesLimit) }
    guard outcome == .drained, let inflater, inflater.isBetweenBlocks else { throw .notDeflate }
    guard !terms.clientKeepsContext else { return }
    contexts.giveBack(inflater)
    self.inflater = nil
  }

  // MARK: - Out

  /// Completes the message that `WebSocketEncoder.beginMessage` began at `mark`, compressed if that makes it shorter.
  public func endMessage(_ mark: Int, opcode: WebSocketOpcode, in buffer: inout ByteBuffer) {
    guard compress(UnsafeRawBufferPointer(rebasing: buffer.readable[(mark + 4)...])) else {
      return WebSocketEncoder.endMessage(mark, opcode: opcode, in: &buffer)
    }
    buffer.truncate(to: mark)
    appendCompressed(opcode, to: &buffer)
  }

  /// Appends a message of the server, compressed if that makes it shorter.
  public func append(_ opcode: WebSocketOpcode, _ message: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
    guard compress(message) else { return WebSocketEncoder.append(opcode, message, to: &buffer) }
    appendCompressed(opcode, to: &buffer)
  }

  /// Compresses a message into `contexts.scratch`. false: it is better sent as it is.
  private func compress(_ message: UnsafeRawBufferPointer) -> Bool {
    guard !message.isEmpty, message.count >= limits.thresholdBytes else { return false }
    contexts.scratch.removeAll(keeping: Self.scratchKept)
    guard let deflater = currentDeflater() else { return false }
    let isWhole = deflater.deflate(message, into: &contexts.scratch)
    if isWhole, contexts.scratch.count < message.count { return true }
    // The peer never sees these bytes: its window would not be the same as ours.
    if terms.serverKeepsContext { deflater.reset() }
    return false
  }

  /// nil: no memory, and messages go out as they are.
  private func currentDeflater() -> Deflater? {
    guard terms.serverKeepsContext else { return contexts.sharedDeflater(windowBits: terms.serverWindowBits) }
    if deflater == nil { deflater = Deflater(contexts.zlib, windowBits: terms.serverWindowBits) }
    return deflater
  }

  private func appendCompressed(_ opcode: WebSocketOpcode, to buffer: inout ByteBuffer) {
    WebSocketEncoder.append(opcode, contexts.scratch.readable, isCompressed: true, to: &buffer)
    contexts.scratch.removeAll(keeping: Self.scratchKept)
  }

  private static let scratchKept = 256 << 10
}
