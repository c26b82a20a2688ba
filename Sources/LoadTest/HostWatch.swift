/// Follows a host by its health: the figures before, the most, those after, memory's trend, and whether it is still there.
///
/// The questions travel over the connections of the run, since a host may allow a client no other; whichever connection
/// is open will do. Times are nanoseconds of one clock.
package struct HostWatch: Sendable {
  /// Within which the host must answer; it does so from memory.
  package static let answerNanoseconds: UInt64 = 30_000_000_000
  /// Without any open connection for this long, the host is gone.
  package static let absenceNanoseconds: UInt64 = 3_000_000_000

  package private(set) var before: HostFigures?
  package private(set) var latest: HostFigures?
  package private(set) var most: HostFigures?
  /// The figures since the run's connections have closed.
  package private(set) var after: HostFigures?
  package private(set) var memory = MemoryTrend()

  private enum Stage { case before, running(since: UInt64), ended }

  private var stage = Stage.before
  private var question: (connection: Int, at: UInt64)?
  private var openAt: UInt64
  private var lastLoss = ""
  private var restart: String?

  package init(now: UInt64) { openAt = now }

  /// Whether an answer is still to come.
  package var isAsking: Bool { question != nil }

  package mutating func asked(over connection: Int, now: UInt64) { question = (connection, now) }

  /// A question that went over it has to be asked again.
  package mutating func connectionLost(_ connection: Int, message: String) {
    lastLoss = message
    if question?.connection == connection { question = nil }
  }

  /// At least one connection is open now.
  package mutating func sawOpen(now: UInt64) { openAt = now }

  package mutating func runBegan(now: UInt64) { stage = .running(since: now) }

  /// The run's connections have closed but for the one that asks.
  package mutating func runEnded() { stage = .ended }

  package mutating func take(_ figures: HostFigures, now: UInt64) {
    question = nil
    if let first = before?.pid, let pid = figures.pid, pid != first {
      restart = "the host was started anew: process \(first) has become \(pid)"
    }
    latest = figures
    most = most.map { $0.most(figures) } ?? figures
    switch stage {
    case .before: before = figures
    case .running(let since):
      guard let bytes = figures.residentBytes, now >= since else { return }
      memory.add(seconds: Double(now - since) / 1e9, bytes: Double(bytes))
    case .ended: after = figures
    }
  }

  /// Whether the host is as it was before, and nobody else's call or session is needed to explain it.
  package var isAsBefore: Bool {
    guard let before, let after else { return false }
    return after.inFlight <= before.inFlight && after.queued <= before.queued && after.sessions <= before.sessions
      && after.connections ?? 0 <= before.connections ?? 0
  }

  /// Why the run cannot go on; nil: it can.
  package func trouble(now: UInt64) -> String? {
    if let restart { return restart }
    if let question, now > question.at, now - question.at >= Self.answerNanoseconds {
      return "the host did not answer health within \(Self.answerNanoseconds / 1_000_000_000) s"
    }
    guard now > openAt, now - openAt >= Self.absenceNanoseconds else { return nil }
    return "no connection to the host for \(Self.absenceNanoseconds / 1_000_000_000) s: \(lastLoss)"
  }
}
