import Decisions

/// How long an HTTP connection may take for what it has to do next, as a plain value: events and times in, what to do
/// out. Each time is one for the whole of it, so that a byte now and then buys nothing (slowloris).
///
/// | phase  | begins                                    | may take                                          | then   |
/// |--------|-------------------------------------------|---------------------------------------------------|--------|
/// | head   | the connection, a request's first byte    | `request_seconds`                                 | 408    |
/// | body   | the head's end                            | `request_seconds`, and a second for each 8 KiB    | 408    |
/// | answer | the body's end                            | what the answer takes                             | –      |
/// | idle   | the answer's end                          | `keep_alive_seconds`                              | closed |
struct HTTPClocks {
  struct Limits: Equatable {
    var requestNanoseconds: UInt64
    var idleNanoseconds: UInt64
  }

  enum Action: Equatable {
    case wait(until: Instant)
    /// The request did not come in time.
    case refuse
    /// No other request came.
    case close
    /// Nothing is due: ask again after the next event.
    case rest
  }

  /// What a body must bring at least once its first seconds are over.
  static let bodyBytesPerSecond: UInt64 = 8_192

  private enum Phase { case head, body, answer, idle }

  private let limits: Limits
  private var phase = Phase.head
  private(set) var deadline: Instant

  init(_ limits: Limits, now: Instant) {
    self.limits = limits
    deadline = now.advanced(nanoseconds: limits.requestNanoseconds)
  }

  /// Whether no byte of a next request has come.
  var isIdle: Bool { phase == .idle }

  /// Bytes of a request are there.
  mutating func headBegan(now: Instant) {
    guard isIdle else { return }
    phase = .head
    deadline = now.advanced(nanoseconds: limits.requestNanoseconds)
  }

  mutating func bodyBegan(now: Instant) {
    phase = .body
    deadline = now.advanced(nanoseconds: limits.requestNanoseconds)
  }

  /// `bytes` of the body's content came; what frames it does not count.
  mutating func bodyReceived(_ bytes: Int) {
    guard phase == .body else { return }
    // A piece is what was read at once, so the product does not overflow.
    deadline = deadline.advanced(nanoseconds: UInt64(bytes) * 1_000_000_000 / Self.bodyBytesPerSecond)
  }

  /// The request is whole, and whoever answers takes the time that it takes.
  mutating func bodyEnded() {
    phase = .answer
    deadline = .never
  }

  /// The request is whole and answered; nothing happens if the next one has begun.
  mutating func answered(now: Instant) {
    guard phase == .body || phase == .answer else { return }
    phase = .idle
    deadline = now.advanced(nanoseconds: limits.idleNanoseconds)
  }

  /// The client has not taken the last answer yet: its time for the next request begins anew.
  mutating func stillSending(now: Instant) {
    guard isIdle else { return }
    deadline = now.advanced(nanoseconds: limits.idleNanoseconds)
  }

  func due(now: Instant) -> Action {
    if deadline == .never { return .rest }
    guard deadline <= now else { return .wait(until: deadline) }
    return isIdle ? .close : .refuse
  }
}
