import Glibc

/// How a connection's bytes travel: as they are, or in TLS. It does not own the descriptor.
///
/// Eight bytes, and one branch on the way to the system call for what is not encrypted. Thread: the loop's.
enum Transport {
  case plain(Int32)
  case secured(TLSConnection)

  enum Outcome: Equatable {
    /// At least one.
    case bytes(Int)
    /// Nothing now; the descriptor's readiness for the same will tell when.
    case blocked
    /// The peer sends nothing more.
    case ended
    /// The connection is of no use any more.
    case failed
  }

  var descriptor: Int32 {
    switch self {
    case .plain(let descriptor): descriptor
    case .secured(let tls): tls.descriptor
    }
  }

  /// Takes at most `limit` bytes of what has come into `room`, which holds that many.
  func read(into room: UnsafeMutableRawBufferPointer, limit: Int) -> Outcome {
    switch self {
    case .plain(let descriptor): Self.receive(descriptor, room, limit)
    case .secured(let tls): tls.read(into: room, limit: limit)
    }
  }

  /// Whether nothing more waited when a read of at most `limit` brought `count` bytes.
  func isDrained(after count: Int, limit: Int) -> Bool {
    guard case .secured(let tls) = self else { return count < limit }
    // A read brings one record, however short.
    var waiting: Int32 = 0
    return ioctl(tls.descriptor, UInt(FIONREAD), &waiting) != 0 || waiting == 0
  }

  /// Gives as many of `bytes` to the socket as it takes; what it did not take must come again, unchanged.
  func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    switch self {
    case .plain(let descriptor): Self.send(descriptor, bytes)
    case .secured(let tls): tls.write(bytes)
    }
  }

  /// The last word, after everything was written. False: there is no room for it now; try again once there is.
  func close() -> Bool {
    switch self {
    case .plain: true
    case .secured(let tls): tls.close()
    }
  }

  private static func receive(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer, _ limit: Int) -> Outcome {
    while true {
      let count = recv(descriptor, room.baseAddress, limit, 0)
      if count > 0 { return .bytes(count) }
      if count == 0 { return .ended }
      if errno == EAGAIN { return .blocked }
      if errno != EINTR { return .failed }
    }
  }

  private static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Outcome {
    while true {
      let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count > 0 { return .bytes(count) }
      if errno == EAGAIN { return .blocked }
      if errno != EINTR { return .failed }
    }
  }
}
