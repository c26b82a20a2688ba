import CLinux
import Glibc

/// The descriptors of a loop and who is told of them: an epoll for each priority, the one of the low priority inside the
/// other, so that one wait hears of both.
///
/// Level-triggered. One owner; thread: the loop's.
struct DescriptorSet: ~Copyable {
  /// What an epoll says has happened.
  enum Event {
    /// Nobody is concerned any more, or the loop was woken for its mailbox.
    case nothing
    /// Descriptors of the low priority are ready; `wait(.low)` says which.
    case low
    case ready(any DescriptorHandler, DescriptorInterest)
  }

  private struct Registration {
    var descriptor: Int32
    var generation: UInt32
    var interest: DescriptorInterest
    var priority: DescriptorPriority
    var handler: (any DescriptorHandler)?
  }

  private static let eventsLimit = 64
  private static let wakeMark = UInt64.max
  private static let lowMark = UInt64.max - 1

  private let epoll: Int32
  private let lowEpoll: Int32
  /// An eventfd: a write to it, from any thread, ends a wait. It lives as long as the set.
  let wake: Int32
  private let events: UnsafeMutablePointer<epoll_event>
  private var registrations: [Registration] = []
  private var freeRegistrations: [UInt32] = []

  init() throws(EventLoopError) {
    let made = try Self.make()
    (epoll, lowEpoll, wake) = (made.epoll, made.low, made.wake)
    events = .allocate(capacity: Self.eventsLimit)
    // Edge-triggered: each write is one event, and nobody has to read the counter.
    var event = epoll_event(events: EPOLLIN.rawValue | EPOLLET.rawValue, data: epoll_data_t(u64: Self.wakeMark))
    epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event)
    event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: Self.lowMark))
    epoll_ctl(epoll, EPOLL_CTL_ADD, lowEpoll, &event)
  }

  private static func make() throws(EventLoopError) -> (epoll: Int32, low: Int32, wake: Int32) {
    let made = [
      ("epoll_create1", epoll_create1(Int32(EPOLL_CLOEXEC)), errno),
      ("epoll_create1", epoll_create1(Int32(EPOLL_CLOEXEC)), errno),
      ("eventfd", eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)), errno),
    ]
    guard let (call, _, code) = made.first(where: { $0.1 < 0 }) else { return (made[0].1, made[1].1, made[2].1) }
    for (_, descriptor, _) in made where descriptor >= 0 { close(descriptor) }
    throw EventLoopError(call: call, code: code)
  }

  deinit {
    close(epoll)
    close(lowEpoll)
    close(wake)
    events.deallocate()
  }

  // MARK: - Waiting

  /// Waits until something is ready, at most so long (-1: for ever). Returns how many events there are, at most `limit`
  /// and 64.
  func wait(_ priority: DescriptorPriority, limit: Int = Self.eventsLimit, milliseconds: Int32) -> Int {
    let count = epoll_wait(descriptor(priority), events, Int32(min(limit, Self.eventsLimit)), milliseconds)
    return max(0, Int(count))
  }

  /// The event at this place of what `wait` found; what was removed or changed since is seen as it is now.
  func event(_ index: Int) -> Event {
    let event = events[index]
    let data = event.data.u64
    if data == Self.lowMark { return .low }
    let token = DescriptorToken(index: UInt32(truncatingIfNeeded: data), generation: UInt32(data >> 32))
    guard data != Self.wakeMark, isKnown(token), let handler = registrations[Int(token.index)].handler else {
      return .nothing
    }
    let interest = registrations[Int(token.index)].interest
    var ready: DescriptorInterest = []
    if event.events & EPOLLIN.rawValue != 0, interest.contains(.read) { ready.insert(.read) }
    if event.events & EPOLLOUT.rawValue != 0, interest.contains(.write) { ready.insert(.write) }
    if event.events & EPOLLHUP.rawValue != 0 { ready.insert(.hangup) }
    if event.events & EPOLLERR.rawValue != 0 { ready.insert(.error) }
    return ready.isEmpty ? .nothing : .ready(handler, ready)
  }

  // MARK: - Watching

  mutating func add(
    _ descriptor: Int32, _ interest: DescriptorInterest, _ priority: DescriptorPriority,
    handler: any DescriptorHandler
  ) throws(EventLoopError) -> DescriptorToken {
    let slot: UInt32
    if let free = freeRegistrations.popLast() {
      slot = free
      registrations[Int(slot)].descriptor = descriptor
      registrations[Int(slot)].interest = interest
      registrations[Int(slot)].priority = priority
      registrations[Int(slot)].handler = handler
    } else {
      slot = UInt32(registrations.count)
      registrations.append(
        Registration(
          descriptor: descriptor, generation: 1, interest: interest, priority: priority, handler: handler))
    }
    let token = DescriptorToken(index: slot, generation: registrations[Int(slot)].generation)
    guard control(EPOLL_CTL_ADD, token) == 0 else {
      let code = errno
      forget(token)
      throw EventLoopError(call: "epoll_ctl", code: code)
    }
    return token
  }

  mutating func modify(_ token: DescriptorToken, _ interest: DescriptorInterest) {
    guard isKnown(token), registrations[Int(token.index)].interest != interest else { return }
    registrations[Int(token.index)].interest = interest
    _ = control(EPOLL_CTL_MOD, token)
  }

  mutating func modify(_ token: DescriptorToken, _ priority: DescriptorPriority) {
    guard isKnown(token), registrations[Int(token.index)].priority != priority else { return }
    _ = control(EPOLL_CTL_DEL, token)
    registrations[Int(token.index)].priority = priority
    _ = control(EPOLL_CTL_ADD, token)
  }

  mutating func remove(_ token: DescriptorToken) {
    guard isKnown(token) else { return }
    _ = control(EPOLL_CTL_DEL, token)
    forget(token)
  }

  private func isKnown(_ token: DescriptorToken) -> Bool {
    Int(token.index) < registrations.count && registrations[Int(token.index)].generation == token.generation
      && registrations[Int(token.index)].handler != nil
  }

  private mutating func forget(_ token: DescriptorToken) {
    registrations[Int(token.index)].handler = nil
    registrations[Int(token.index)].generation &+= 1
    freeRegistrations.append(token.index)
  }

  private func descriptor(_ priority: DescriptorPriority) -> Int32 { priority == .low ? lowEpoll : epoll }

  private func control(_ operation: Int32, _ token: DescriptorToken) -> Int32 {
    let registration = registrations[Int(token.index)]
    var bits: UInt32 = 0
    if registration.interest.contains(.read) { bits |= EPOLLIN.rawValue }
    if registration.interest.contains(.write) { bits |= EPOLLOUT.rawValue }
    var event = epoll_event(
      events: bits, data: epoll_data_t(u64: UInt64(token.generation) << 32 | UInt64(token.index)))
    return epoll_ctl(descriptor(registration.priority), operation, registration.descriptor, &event)
  }
}
