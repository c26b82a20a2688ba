/// What waits to be told to somebody who may not answer: one message at a time, in order, each tried again with growing
/// waits, none kept for ever.
///
/// | state   | event                        | then                                                      |
/// |---------|------------------------------|-----------------------------------------------------------|
/// | resting | a message                    | to be sent at once                                        |
/// | resting | `next`                       | sending the oldest                                        |
/// | sending | delivered                    | resting                                                   |
/// | sending | failed, tries are left       | waiting: 1 s, doubled with each try, at most 60 s         |
/// | sending | failed for good, or too often| the message is dropped; resting                           |
/// | waiting | its time, and `next`         | sending the same                                          |
/// | any     | a message too many           | the oldest that is not being tried is dropped             |
package struct AlertDelivery<Message: Sendable>: Sendable {
  package enum Outcome: Equatable, Sendable {
    case delivered
    /// Worth another try.
    case failed
    /// It will be refused again.
    case refused
  }

  /// Messages that may wait, the one that is sent among them.
  package static var queueLimit: Int { 100 }
  package static var triesLimit: Int { 10 }
  static var firstWaitNanoseconds: UInt64 { 1_000_000_000 }
  static var longestWaitNanoseconds: UInt64 { 60_000_000_000 }

  private enum State: Equatable, Sendable {
    case resting
    case sending(tries: Int)
    case waiting(tries: Int, until: Instant)
  }

  private var queue: [Message] = []
  private var state = State.resting
  package private(set) var delivered: UInt64 = 0
  package private(set) var dropped: UInt64 = 0
  /// Tries since one was delivered.
  package private(set) var failuresInARow = 0

  package init() {}

  package var count: Int { queue.count }

  package mutating func add(_ message: Message) {
    queue.append(message)
    guard queue.count > Self.queueLimit else { return }
    queue.remove(at: state == .resting ? 0 : 1)
    dropped &+= 1
  }

  /// When `next` has something; nil: not before a message comes or one that is sent has ended.
  package var nextAt: Instant? {
    switch state {
    case .resting: queue.isEmpty ? nil : Instant(nanoseconds: 0)
    case .sending: nil
    case .waiting(_, let until): until
    }
  }

  /// The message to send now; whoever takes it tells how that `ended`.
  package mutating func next(now: Instant) -> Message? {
    guard let at = nextAt, at <= now, let first = queue.first else { return nil }
    if case .waiting(let tries, _) = state { state = .sending(tries: tries + 1) } else { state = .sending(tries: 1) }
    return first
  }

  package mutating func ended(_ outcome: Outcome, now: Instant) {
    guard case .sending(let tries) = state else { return }
    switch outcome {
    case .delivered:
      failuresInARow = 0
      delivered &+= 1
      leave()
    case .failed where tries < Self.triesLimit:
      failuresInARow += 1
      let wait = min(Self.firstWaitNanoseconds << UInt64(min(tries - 1, 16)), Self.longestWaitNanoseconds)
      state = .waiting(tries: tries, until: now.advanced(nanoseconds: wait))
    case .failed, .refused:
      failuresInARow += 1
      dropped &+= 1
      leave()
    }
  }

  private mutating func leave() {
    queue.removeFirst()
    state = .resting
  }
}
