import Decisions

/// The four clocks of an exchange, decided without one.
///
/// `connect` runs until a connection stands, `firstByte` from there to the first byte of the answer, `idle` from each
/// piece of the answer to the next, `total` over all. First byte and idle stand still while the exchange is paused.
struct ExchangeClocks {
  /// Nanoseconds; 0: no such clock.
  struct Limits: Equatable, Sendable {
    var connect: UInt64 = 0
    var firstByte: UInt64 = 0
    var idle: UInt64 = 0
    var total: UInt64 = 0
  }

  private enum Phase {
    case connecting(deadline: Instant)
    case waiting(Countdown)
    case receiving(Countdown)
  }

  /// What is left of a clock that can stand still.
  private enum Countdown {
    case running(deadline: Instant)
    case paused(remaining: UInt64)

    var deadline: Instant {
      switch self {
      case .running(let deadline): deadline
      case .paused: .never
      }
    }
  }

  private let limits: Limits
  private let totalDeadline: Instant
  private var phase: Phase
  private var isPaused = false

  init(_ limits: Limits, now: Instant) {
    self.limits = limits
    totalDeadline = Self.deadline(limits.total, now)
    phase = .connecting(deadline: Self.deadline(limits.connect, now))
  }

  /// When the next clock runs out, as things stand.
  var next: Instant {
    switch phase {
    case .connecting(let deadline): min(deadline, totalDeadline)
    case .waiting(let countdown), .receiving(let countdown): min(countdown.deadline, totalDeadline)
    }
  }

  /// The clock that has run out, and how long it was.
  func expired(_ now: Instant) -> (clock: ProviderFailure.Clock, limit: UInt64)? {
    if totalDeadline <= now { return (.total, limits.total) }
    switch phase {
    case .connecting(let deadline): return deadline <= now ? (.connect, limits.connect) : nil
    case .waiting(let countdown): return countdown.deadline <= now ? (.firstByte, limits.firstByte) : nil
    case .receiving(let countdown): return countdown.deadline <= now ? (.idle, limits.idle) : nil
    }
  }

  mutating func connected(_ now: Instant) {
    guard case .connecting = phase else { return }
    phase = .waiting(countdown(limits.firstByte, now))
  }

  /// A piece of the answer came.
  mutating func received(_ now: Instant) { phase = .receiving(countdown(limits.idle, now)) }

  mutating func pause(_ now: Instant) {
    guard !isPaused else { return }
    isPaused = true
    switch phase {
    case .connecting: break
    case .waiting(.running(let deadline)): phase = .waiting(Self.stopped(deadline, now))
    case .receiving(.running(let deadline)): phase = .receiving(Self.stopped(deadline, now))
    case .waiting(.paused), .receiving(.paused): break
    }
  }

  mutating func resume(_ now: Instant) {
    guard isPaused else { return }
    isPaused = false
    switch phase {
    case .connecting: break
    case .waiting(.paused(let remaining)): phase = .waiting(.running(deadline: Self.deadline(remaining, now)))
    case .receiving(.paused(let remaining)): phase = .receiving(.running(deadline: Self.deadline(remaining, now)))
    case .waiting(.running), .receiving(.running): break
    }
  }

  private func countdown(_ limit: UInt64, _ now: Instant) -> Countdown {
    isPaused ? .paused(remaining: limit) : .running(deadline: Self.deadline(limit, now))
  }

  /// A clock that was about to run out when it stopped keeps a nanosecond: 0 would mean that there is none.
  private static func stopped(_ deadline: Instant, _ now: Instant) -> Countdown {
    deadline == .never ? .paused(remaining: 0) : .paused(remaining: max(1, deadline.nanoseconds(since: now)))
  }

  private static func deadline(_ nanoseconds: UInt64, _ now: Instant) -> Instant {
    nanoseconds == 0 ? .never : now.advanced(nanoseconds: nanoseconds)
  }
}
