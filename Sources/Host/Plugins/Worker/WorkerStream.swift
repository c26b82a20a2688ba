internal import Bytes
internal import CLinux
internal import Glibc

/// Who hears of a stream between a host and a worker. Thread: the stream's loop.
protocol WorkerStreamDelegate: AnyObject {
  /// One message; its payload is borrowed. What is thrown ends the stream as broken.
  func streamReceived(_ message: WorkerFrameDecoder.Message, from stream: WorkerStream) throws(WorkerFrameFault)
  /// The last word: the stream is closed already.
  func streamEnded(_ stream: WorkerStream, _ end: WorkerStream.End)
}

/// One end of a socket between a host and a worker, on a loop: messages in, messages out at the end of each turn.
///
/// Nothing is held back for want of room in the socket: what may be sent is bounded by the credit of the calls, and
/// whoever reads this reads always. So a message of one call never waits for another call's reader.
/// Thread: the loop's.
final class WorkerStream: DescriptorHandler, TurnEndHandler {
  enum End: Equatable {
    /// The other side is gone, or has closed its end.
    case closed
    /// The other side broke the protocol.
    case broken(WorkerFrameFault)
  }

  private let loop: EventLoop
  private let descriptor: Int32
  private var token: DescriptorToken?
  private var decoder: WorkerFrameDecoder
  private var out = ByteBuffer()
  private var isFlushDue = false
  private weak var delegate: (any WorkerStreamDelegate)?

  /// - Parameters:
  ///   - descriptor: a stream socket, owned from now on, also when this throws.
  ///   - accepted: what the other side may send.
  init(
    _ descriptor: Int32, accepting accepted: Set<WorkerFrame.Kind>, on loop: EventLoop,
    delegate: any WorkerStreamDelegate
  ) throws(EventLoopError) {
    self.loop = loop
    self.descriptor = descriptor
    self.delegate = delegate
    decoder = WorkerFrameDecoder(accepting: accepted)
    do throws(EventLoopError) {
      token = try loop.add(descriptor, .read, handler: self)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  var isOpen: Bool { token != nil }

  /// Closes our end; the delegate hears nothing more.
  func close() {
    guard let token else { return }
    self.token = nil
    loop.remove(token)
    Glibc.close(descriptor)
    out.removeAll(keeping: 0)
  }

  func send(_ kind: WorkerFrame.Kind, call: UInt64 = 0, _ write: (inout ByteBuffer) -> Void = { _ in }) {
    guard isOpen else { return }
    out.appendMessage(kind, call: call, write)
    flushLater()
  }

  /// Messages that were laid out before.
  func send(_ messages: UnsafeRawBufferPointer) {
    guard isOpen, !messages.isEmpty else { return }
    out.append(messages)
    flushLater()
  }

  private func flushLater() {
    guard !isFlushDue else { return }
    isFlushDue = true
    loop.atEndOfTurn(self)
  }

  func turnEnded() {
    isFlushDue = false
    flush()
  }

  private static let keptBytes = 64 << 10

  private func flush() {
    guard let token else { return }
    while !out.isEmpty {
      let count = Glibc.send(
        descriptor, out.readable.baseAddress, out.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      if count < 0 && errno == EINTR { continue }
      // Whatever is wrong with it is seen by reading.
      guard count > 0 else { break }
      out.consume(count)
    }
    if out.isEmpty { out.removeAll(keeping: Self.keptBytes) }
    loop.modify(token, out.isEmpty ? .read : [.read, .write])
  }

  func descriptorReady(_ ready: DescriptorInterest) {
    if ready.contains(.write) { flush() }
    guard isOpen, !ready.isDisjoint(with: [.read, .hangup, .error]) else { return }
    let room = loop.readBuffer
    let count = recv(descriptor, room.baseAddress, room.count, Int32(MSG_DONTWAIT))
    if count < 0 && (errno == EINTR || errno == EAGAIN) { return }
    guard count > 0 else { return end(.closed) }
    do throws(WorkerFrameFault) {
      try decoder.feed(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])) {
        message throws(WorkerFrameFault) in
        guard isOpen else { return }
        try delegate?.streamReceived(message, from: self)
      }
    } catch {
      end(.broken(error))
    }
  }

  private func end(_ end: End) {
    guard isOpen else { return }
    close()
    delegate?.streamEnded(self, end)
  }
}
