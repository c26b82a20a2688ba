/// One alert of one subject, from the moment it is raised until its subject has recovered: what makes a value that
/// flaps about its threshold one alert and not many.
///
/// | state    | sight                                   | then                                                     |
/// |----------|-----------------------------------------|----------------------------------------------------------|
/// | clear    | warning                                 | raised: WARNING                                          |
/// | clear    | critical                                | raised: CRITICAL, after WARNING where the policy says so |
/// | warning  | critical                                | CRITICAL, once an episode                                |
/// | raised   | clear, for `clearNanoseconds` on end    | clear: RECOVERED                                         |
/// | raised   | clear or between, `settleNanoseconds`   | clear: RECOVERED                                         |
/// | raised   | warning, critical                       | both waits begin anew                                    |
///
/// So an episode has at most one WARNING, at most one CRITICAL and one RECOVERED, in this order.
package struct AlertEpisode: Equatable, Sendable {
  package enum Severity: Int, Comparable, Sendable {
    case warning, critical

    package static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    package var name: String { "\(self)" }
  }

  /// What one look has found.
  package enum Sight: Equatable, Sendable {
    /// Well below every threshold.
    case clear
    /// Below the threshold that raises, above the one that recovers at once.
    case between
    case warning, critical
  }

  package enum Event: Equatable, Sendable {
    case raised(Severity)
    case recovered
  }

  package struct Policy: Equatable, Sendable {
    /// Nanoseconds of nothing but `clear` after which the subject has recovered.
    package var clearNanoseconds: UInt64
    /// The same for `clear` and `between` together, so that nothing stays raised for ever just below its threshold.
    package var settleNanoseconds: UInt64
    /// Whether who is critical has passed through warning: true for a value with two thresholds.
    package var isStaged: Bool

    package init(clearNanoseconds: UInt64, settleNanoseconds: UInt64, isStaged: Bool) {
      self.clearNanoseconds = clearNanoseconds
      self.settleNanoseconds = settleNanoseconds
      self.isStaged = isStaged
    }

    /// A value against a limit: recovered after 10 s at the lower threshold or below, or a minute under the upper one.
    package static let level = Policy(
      clearNanoseconds: 10_000_000_000, settleNanoseconds: 60_000_000_000, isStaged: true)
    /// Something that either is or is not: recovered at the first look that finds it gone.
    package static let state = Policy(clearNanoseconds: 0, settleNanoseconds: 0, isStaged: false)
    /// Something that happens now and then: recovered when it has not for a minute.
    package static let event = Policy(
      clearNanoseconds: 60_000_000_000, settleNanoseconds: 60_000_000_000, isStaged: false)
    /// A trend: a minute of rest, or five below the threshold.
    package static let trend = Policy(
      clearNanoseconds: 60_000_000_000, settleNanoseconds: 300_000_000_000, isStaged: false)
  }

  private enum State: Equatable, Sendable {
    case clear
    /// `clearSince`, `lowSince`: since when every look was `clear`, or at most `between`.
    case raised(Severity, clearSince: Instant?, lowSince: Instant?)
  }

  package let policy: Policy
  private var state = State.clear

  package init(_ policy: Policy) { self.policy = policy }

  /// The worst of the episode; nil: there is none.
  package var severity: Severity? { if case .raised(let severity, _, _) = state { severity } else { nil } }

  /// Takes a look at `now`, never before the last one. Returns what must be told, in order.
  package mutating func see(_ sight: Sight, now: Instant) -> [Event] {
    switch (state, sight) {
    case (.clear, .clear), (.clear, .between): return []
    case (.clear, .warning):
      state = .raised(.warning, clearSince: nil, lowSince: nil)
      return [.raised(.warning)]
    case (.clear, .critical):
      state = .raised(.critical, clearSince: nil, lowSince: nil)
      return policy.isStaged ? [.raised(.warning), .raised(.critical)] : [.raised(.critical)]
    case (.raised(.warning, _, _), .critical):
      state = .raised(.critical, clearSince: nil, lowSince: nil)
      return [.raised(.critical)]
    case (.raised(let severity, _, _), .warning), (.raised(let severity, _, _), .critical):
      state = .raised(severity, clearSince: nil, lowSince: nil)
      return []
    case (.raised(let severity, _, let lowSince), .between):
      return rest(severity, clearSince: nil, lowSince: lowSince ?? now, now: now)
    case (.raised(let severity, let clearSince, let lowSince), .clear):
      return rest(severity, clearSince: clearSince ?? now, lowSince: lowSince ?? now, now: now)
    }
  }

  private mutating func rest(_ severity: Severity, clearSince: Instant?, lowSince: Instant, now: Instant) -> [Event] {
    let isClear = clearSince.map { now.nanoseconds(since: $0) >= policy.clearNanoseconds } ?? false
    guard isClear || now.nanoseconds(since: lowSince) >= policy.settleNanoseconds else {
      state = .raised(severity, clearSince: clearSince, lowSince: lowSince)
      return []
    }
    state = .clear
    return [.recovered]
  }
}
