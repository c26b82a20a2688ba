import CLinux
import Glibc

/// An epoll for one thread: which connections have something to do.
///
/// An event names its connection by number and generation, so that one read before its connection was replaced is
/// told apart from those of the next.
final class Poller {
  struct Event {
    var number: UInt32
    var generation: UInt32
    var bits: UInt32
  }

  private static let eventsPerTurn = 256
  private let epoll: Int32
  private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: eventsPerTurn)

  init() throws {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw ClientError(description: "epoll_create1: \(String(cString: strerror(errno)))") }
  }

  deinit {
    close(epoll)
    events.deallocate()
  }

  func add(_ descriptor: Int32, number: UInt32, generation: UInt32, writes: Bool) throws {
    guard control(EPOLL_CTL_ADD, descriptor, number, generation, writes) else {
      throw ClientError(description: "epoll_ctl: \(String(cString: strerror(errno)))")
    }
  }

  /// Watches for room to write too, or no longer.
  func modify(_ descriptor: Int32, number: UInt32, generation: UInt32, writes: Bool) {
    let isDone = control(EPOLL_CTL_MOD, descriptor, number, generation, writes)
    precondition(isDone, "epoll_ctl of a descriptor that is watched: \(String(cString: strerror(errno)))")
  }

  private func control(_ operation: Int32, _ descriptor: Int32, _ number: UInt32, _ generation: UInt32, _ writes: Bool)
    -> Bool
  {
    var event = epoll_event(
      events: EPOLLIN.rawValue | (writes ? EPOLLOUT.rawValue : 0),
      data: epoll_data_t(u64: UInt64(generation) << 32 | UInt64(number)))
    return epoll_ctl(epoll, operation, descriptor, &event) == 0
  }

  /// What is ready, waiting for at most `milliseconds`.
  func wait(milliseconds: Int32) -> [Event] {
    let count = epoll_wait(epoll, events, Int32(Self.eventsPerTurn), milliseconds)
    return (0..<max(0, Int(count))).map { index in
      let data = events[index].data.u64
      return Event(
        number: UInt32(truncatingIfNeeded: data), generation: UInt32(data >> 32), bits: events[index].events)
    }
  }
}
