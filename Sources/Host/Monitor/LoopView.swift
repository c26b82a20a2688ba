import Decisions

/// A session of the native protocol as lists show it.
struct SessionSummary: Sendable {
  /// By which the log names it.
  var number: Int
  /// Tells which came first, on its loop.
  var serial: UInt64
  /// nil: nobody needs a token here.
  var principal: String?
  var peer: SocketAddress
  var openedAt: Instant
  var heardAt: Instant
  var inFlight: Int
  /// What it is sent waits for it.
  var isCongested: Bool
}

/// What one loop has to show at one moment; a copy that any thread may read.
struct LoopView: Sendable {
  /// Rows of each list.
  static let rowsLimit = 100
  static let endedLimit = 50
  /// Sessions that are looked at for the rows: a loop with more shows some of them.
  private static let sessionsLookedAt = 4_096

  /// The oldest first.
  var live: [CallSummary] = []
  var liveTotal = 0
  /// Those with calls first, then in the order they came.
  var sessions: [SessionSummary] = []
  var sessionsTotal = 0
  /// Newest first; nil: none has ended since the asker last looked.
  var ended: [CallSummary]?
  var endedCount: UInt64 = 0
  /// The last failure of each provider.
  var failures: [CallSummary] = []

  init() {}

  /// - Parameter endedCount: of the view before. Thread: the loop's.
  init(of loop: HostLoop, endedCount: UInt64?) {
    live = Self.oldest(loop.calls)
    liveTotal = loop.calls.count
    sessions = Self.rows(loop.sessions)
    sessionsTotal = loop.sessions.count
    self.endedCount = loop.records.endedCount
    failures = loop.records.lastFailures
    if endedCount != self.endedCount { ended = loop.records.ended(Self.endedLimit) }
  }

  /// Tickets count up, so the oldest have the lowest.
  private static func oldest(_ calls: [Call]) -> [CallSummary] {
    var chosen = calls
    if calls.count > rowsLimit {
      let last = calls.map(\.ticket.call).sorted()[rowsLimit - 1]
      chosen = calls.filter { $0.ticket.call <= last }
    }
    return chosen.sorted { $0.ticket.call < $1.ticket.call }.compactMap(\.summary)
  }

  private static func rows(_ sessions: [UInt64: NativeSession]) -> [SessionSummary] {
    let looked = sessions.values.prefix(sessionsLookedAt).compactMap(\.summary)
    return Array(looked.sorted(by: goesBefore).prefix(rowsLimit))
  }

  static func goesBefore(_ left: SessionSummary, _ right: SessionSummary) -> Bool {
    if (left.inFlight > 0) != (right.inFlight > 0) { return left.inFlight > 0 }
    return left.openedAt == right.openedAt ? left.serial < right.serial : left.openedAt < right.openedAt
  }
}
