import Decisions

/// What a client hears at last.
enum Reply: Int, CaseIterable {
  case complete, truncated, failed, timedOut, cancelled, refused, unavailable, draining, cached, conflict, duplicate

  init(_ conclusion: CallMachine.Conclusion) {
    self =
      switch conclusion {
      case .complete: .complete
      case .truncated: .truncated
      case .failed: .failed
      case .timedOut: .timedOut
      case .cancelled: .cancelled
      case .overdue: .failed
      case .refused: .refused
      case .unavailable: .unavailable
      case .draining: .draining
      }
  }
}

/// What an outsider can count, kept apart from the code under test, and the promises that are held against it.
///
/// The first broken promise ends the run: its text, the seed and the time are what there is to know.
final class Ledger {
  struct Counts {
    var requests = 0
    /// By `Reply`.
    var replies = [Int](repeating: 0, count: Reply.allCases.count)
    var attempts = 0
    var lostLeases = 0
    var recoveredLeases = 0
    var evictions = 0
    var reloads = 0
    var steps = 0
  }

  private(set) var counts = Counts()
  /// Everything that happened, as one number: two runs of a seed have the same.
  private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
  /// Leases by holder; only looked up.
  private var leases: [Leases.ID: SimulatedCall] = [:]
  var violation: String?

  func note(_ word: UInt64, _ more: UInt64 = 0) {
    digest = (digest ^ word) &* 0x0000_0100_0000_01B3
    digest = (digest ^ more) &* 0x0000_0100_0000_01B3
  }

  func hold(_ promise: Bool, _ broken: @autoclosure () -> String) {
    if violation == nil, !promise { violation = broken() }
  }

  func count(_ change: (inout Counts) -> Void) { change(&counts) }

  // MARK: - Leases

  var liveLeases: Int { leases.count }
  func liveLeases(of belongs: (SimulatedCall) -> Bool) -> Int { leases.values.count(where: belongs) }

  func given(_ lease: Leases.ID, to call: SimulatedCall) {
    hold(leases[lease] == nil, "lease \(lease) has two holders")
    leases[lease] = call
  }

  func returned(_ lease: Leases.ID) {
    hold(leases[lease] != nil, "lease \(lease) was returned twice")
    leases[lease] = nil
  }

  func holder(_ lease: Leases.ID) -> SimulatedCall? { leases[lease] }

  // MARK: - After each step

  /// The Core's books against the world's.
  func check(_ reading: Core.Reading, _ world: World) {
    hold(reading.inFlight == leases.count, "\(reading.inFlight) in flight by the Core, \(leases.count) held")
    hold(reading.queued == world.queued, "\(reading.queued) queued by the Core, \(world.queued) wait")
    let ofProviders = reading.providers.reduce(0) { $0 + $1.inFlight }
    hold(ofProviders == reading.inFlight, "the providers have \(ofProviders) of \(reading.inFlight) calls")
    hold(reading.sessions == world.openSessions, "\(reading.sessions) sessions, \(world.openSessions) open")
    hold(reading.connections == world.openConnections, "\(reading.connections), \(world.openConnections) connections")
    hold(reading.counters.droppedPermits == 0, "a permit was dropped")
    for (index, provider) in reading.providers.enumerated() {
      let waits = world.queuedOf(provider: index)
      hold(provider.queued == waits, "provider \(index): \(provider.queued) queued by the Core, \(waits) wait")
      hold(
        provider.queued == 0 || provider.inFlight >= provider.limit || reading.inFlight >= reading.globalLimit,
        "somebody waits for provider \(index), which has room")
      if case .closed = provider.breaker {
      } else {
        hold(
          provider.queued == 0, "\(provider.queued) wait for provider \(index), whose breaker is \(provider.breaker)")
      }
      hold((1...provider.configuredLimit).contains(provider.limit), "an adaptive limit of \(provider.limit)")
      if case .halfOpen(let probe) = provider.breaker {
        hold(leases[probe] != nil, "provider \(index) is half-open and nobody probes")
      }
      if case .open(let until) = provider.breaker {
        hold(
          until.nanoseconds(since: world.now) <= world.longestOpenNanoseconds,
          "provider \(index) is open for longer than anybody said")
      }
    }
  }
}
