internal import CLinux
internal import Glibc

/// Reads lines that a worker writes into a pipe, at most so many bytes each.
///
/// Thread: the supervisor's loop.
final class LineReader: DescriptorHandler {
  private static let lineBytesLimit = 64 << 10

  /// The end that the worker gets.
  private(set) var childDescriptor: Int32
  private let descriptor: Int32
  private let body: (String) -> Void
  private weak var loop: EventLoop?
  private var token: DescriptorToken?
  private var rest: [UInt8] = []

  /// - Parameter body: called with each line, without its end.
  init(_ body: @escaping (String) -> Void) throws(PluginFault) {
    var ends: [Int32] = [-1, -1]
    guard pipe2(&ends, O_CLOEXEC) == 0 else {
      throw PluginFault("no pipe: \(systemMessage(errno))", remedy: "raise the limit of open files")
    }
    (descriptor, childDescriptor) = (ends[0], ends[1])
    // Ours alone: the worker's end waits when we are slow.
    _ = clinux_fcntl_int(descriptor, F_SETFL, O_NONBLOCK)
    self.body = body
  }

  deinit {
    closeChildEnd()
    close(descriptor)
  }

  func closeChildEnd() {
    if childDescriptor >= 0 { close(childDescriptor) }
    childDescriptor = -1
  }

  func start(on loop: EventLoop) throws(EventLoopError) {
    self.loop = loop
    token = try loop.add(descriptor, .read, handler: self)
  }

  func descriptorReady(_ ready: DescriptorInterest) {
    if !readSome(), errno != EAGAIN { stop() }
  }

  /// Reads what is left, and no more: the worker has ended.
  func finish() {
    while token != nil, readSome() {}
    stop()
    if !rest.isEmpty { tell(rest[...]) }
    rest = []
  }

  private func stop() {
    if let token { loop?.remove(token) }
    token = nil
  }

  /// false: there is nothing, or nothing will come any more.
  private func readSome() -> Bool {
    guard let loop else { return false }
    let room = loop.readBuffer
    let count = read(descriptor, room.baseAddress, room.count)
    if count == 0 { errno = 0 }
    guard count > 0 else { return count < 0 && errno == EINTR }
    for byte in UnsafeRawBufferPointer(room)[..<count] {
      if byte == 0x0A {
        tell(rest[...])
        rest.removeAll(keepingCapacity: true)
      } else if rest.count < Self.lineBytesLimit {
        rest.append(byte)
      }
    }
    return true
  }

  private func tell(_ line: ArraySlice<UInt8>) { body(String(decoding: line, as: UTF8.self)) }
}
