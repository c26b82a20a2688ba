internal import Decisions

/// How often one message may be written: a number of lines in a window of time, and then one line that says how many
/// more there were. A fault that repeats a thousand times a second must not fill the disk, nor hide everything else.
///
/// Thread: its owner's.
struct LogRates {
  static let windowMilliseconds: UInt64 = 10_000
  /// Of one message in a window.
  static let linesLimit = 100
  /// Messages that are told apart; beyond them all others share one allowance.
  static let messagesLimit = 512

  struct LeftOut: Equatable {
    var message: String
    var count: UInt64
  }

  private struct Window {
    var end: Instant
    var lines = 0
    var leftOut: UInt64 = 0
  }

  private static let others = "other messages"

  private var windows: [String: Window] = [:]
  private var nextLook = Instant(nanoseconds: 0)
  /// Lines that were left out so far.
  private(set) var leftOutTotal: UInt64 = 0

  /// Whether a line may be written at `now`.
  mutating func admit(_ message: String, now: Instant) -> Bool {
    let key = windows[message] != nil || windows.count < Self.messagesLimit ? message : Self.others
    var window = windows[key] ?? Window(end: now.advanced(milliseconds: Self.windowMilliseconds))
    // What it left out is told by `ended`, which comes first.
    if window.end <= now { window = Window(end: now.advanced(milliseconds: Self.windowMilliseconds)) }
    defer { windows[key] = window }
    guard window.lines < Self.linesLimit else {
      window.leftOut &+= 1
      leftOutTotal &+= 1
      return false
    }
    window.lines += 1
    return true
  }

  /// Whether `ended` has something to do: it looks once a second.
  func isLookDue(now: Instant) -> Bool { nextLook <= now }

  /// What was left out in windows that are over; they are forgotten. Ask before `admit`.
  mutating func ended(now: Instant) -> [LeftOut] {
    nextLook = now.advanced(milliseconds: 1_000)
    let over = windows.filter { $0.value.end <= now }
    for message in over.keys { windows[message] = nil }
    return over.filter { $0.value.leftOut > 0 }.map { LeftOut(message: $0.key, count: $0.value.leftOut) }
      .sorted { $0.message < $1.message }
  }
}
