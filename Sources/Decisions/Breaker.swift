/// Keeps calls away from a provider that fails, and lets one real call try it again.
///
/// | state    | event                              | then                                              |
/// |----------|------------------------------------|---------------------------------------------------|
/// | closed   | success                            | closed, no failure counted                        |
/// | closed   | failure, the last of `failures`    | open for `open_seconds`, or as the provider says  |
/// | closed   | exhausted                          | open until the provider's reset time              |
/// | open     | a call before its time             | refused, with the time that is left               |
/// | open     | a call after its time              | may be the probe: half-open once it is admitted   |
/// | half-open| another call                       | refused                                           |
/// | half-open| the probe succeeds                 | closed                                            |
/// | half-open| the probe fails                    | open again                                        |
/// | half-open| the probe says nothing (cancelled) | open, and the next call may probe at once         |
///
/// Calls that were under way when it opened change nothing by how they end.
package struct Breaker: Equatable, Sendable {
  package struct Policy: Equatable, Sendable {
    /// Failures in a row before it opens; 0: it never does.
    package var failures: Int
    package var openNanoseconds: UInt64

    package init(failures: Int, openNanoseconds: UInt64) {
      self.failures = failures
      self.openNanoseconds = openNanoseconds
    }
  }

  package enum State: Equatable, Sendable {
    case closed(failures: Int)
    case open(until: Instant)
    case halfOpen(probe: Leases.ID)

    package var isClosed: Bool { if case .closed = self { true } else { false } }

    /// As health and metrics name it.
    package var name: String {
      switch self {
      case .closed: "closed"
      case .open: "open"
      case .halfOpen: "half_open"
      }
    }
  }

  package enum Passage: Equatable, Sendable {
    case pass
    /// Whoever is admitted now probes: tell `began`.
    case probe
    case refused(retryAfterNanoseconds: UInt64)
  }

  /// A reset time that is farther away is not believed: the provider is probed once a day.
  static let longestOpenNanoseconds: UInt64 = 86_400_000_000_000
  /// While a probe runs, others are told to come back then.
  static let probeWaitNanoseconds: UInt64 = 1_000_000_000

  package private(set) var state = State.closed(failures: 0)
  var policy: Policy

  init(policy: Policy) { self.policy = policy }

  /// Whether a call may go to the provider.
  package func passage(now: Instant) -> Passage {
    if policy.failures == 0 { return .pass }
    return switch state {
    case .closed: .pass
    case .open(let until):
      until <= now ? .probe : .refused(retryAfterNanoseconds: until.nanoseconds(since: now))
    case .halfOpen: .refused(retryAfterNanoseconds: Self.probeWaitNanoseconds)
    }
  }

  /// The call that was let through as a probe was admitted.
  mutating func began(probe: Leases.ID) {
    if case .open = state { state = .halfOpen(probe: probe) }
  }

  package enum Change: Equatable, Sendable { case opened, closed }

  /// A call, or one try of it, has ended. nil: that changed nothing that anybody must hear of.
  mutating func ended(_ lease: Leases.ID, _ verdict: Verdict, now: Instant) -> Change? {
    if policy.failures == 0 {
      state = .closed(failures: 0)
      return nil
    }
    switch (state, verdict) {
    case (.halfOpen(let probe), _) where probe != lease: return nil
    case (.halfOpen, .success), (.halfOpen, .crowded):
      state = .closed(failures: 0)
      return .closed
    case (.halfOpen, .neutral): state = .open(until: now)
    case (.closed, .success): state = .closed(failures: 0)
    case (.closed(let failures), .failure) where failures + 1 < policy.failures:
      state = .closed(failures: failures + 1)
    case (.closed, .failure(let retryAfter)), (.halfOpen, .failure(let retryAfter)):
      return open(for: max(policy.openNanoseconds, retryAfter), now: now)
    case (.closed, .exhausted(let retryAfter)), (.halfOpen, .exhausted(let retryAfter)):
      return open(for: retryAfter > 0 ? retryAfter : policy.openNanoseconds, now: now)
    case (.open, _), (.closed, .neutral), (.closed, .crowded): break
    }
    return nil
  }

  private mutating func open(for nanoseconds: UInt64, now: Instant) -> Change {
    state = .open(until: now.advanced(nanoseconds: min(nanoseconds, Self.longestOpenNanoseconds)))
    return .opened
  }
}

/// What a call, or one try of it, tells about its provider.
package enum Verdict: Equatable, Sendable {
  case success
  /// The provider is not well. The duration is its own word for when to come back, in nanoseconds; 0: it gave none.
  case failure(retryAfterNanoseconds: UInt64)
  /// The provider takes no call before a time of its own: a cap per day, a plan that is used up. 0: it gave none.
  case exhausted(retryAfterNanoseconds: UInt64)
  /// The provider is well, and takes fewer calls at once.
  case crowded
  /// Nothing: the client left, or its request was the fault.
  case neutral
}
