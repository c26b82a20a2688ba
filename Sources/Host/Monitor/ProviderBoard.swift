import Synchronization

/// How every configured provider stands, those that could not be made among them, and since when.
///
/// Thread: `show` control, `serve` loop 0, `rows` any.
final class ProviderBoard: Sendable {
  enum State: String, Sendable { case active, starting, failed, quarantined, removed }

  /// One provider as lists show it.
  struct Row: Sendable {
    var id: String
    /// Its number in the Core and in routings; nil: it was never made.
    var number: Int?
    var state: State
    /// Why, and what to do; "" when it serves.
    var message: String
    /// Unix milliseconds.
    var since: Int64
    /// nil: it was never made.
    var provider: (any HostedProvider)?
    var generation: Int
    var models: [String]
    var refusedUpdate: RefusedUpdate?
  }

  private struct Board {
    var rows: [Row] = []
    /// Providers whose models the loops know: they serve.
    var serving: Set<ObjectIdentifier> = []
  }

  private let board = Mutex(Board())

  /// What was made of the configuration.
  ///
  /// - Parameter quarantined: ids of refused providers whose plugin is in quarantine.
  func show(_ registry: ProviderRegistry, quarantined: Set<String> = []) {
    let now = WallClock().present
    let rows = Self.rows(registry, quarantined, now)
    board.withLock { board in
      board.rows = rows.map { row in
        var row = row
        row.models = board.rows.first { $0.number != nil && $0.number == row.number }?.models ?? []
        return row
      }.keepingTimes(of: board.rows, board.serving)
    }
  }

  /// The loops have these providers, with these models by number.
  func serve(_ providers: [any HostedProvider], _ models: [Int: [String]]) {
    let now = WallClock().present
    let serving = Set(providers.map(ObjectIdentifier.init))
    board.withLock { board in
      board.serving = serving
      for index in board.rows.indices {
        if let number = board.rows[index].number { board.rows[index].models = models[number] ?? [] }
        guard board.rows[index].state == .starting, let provider = board.rows[index].provider,
          serving.contains(ObjectIdentifier(provider))
        else { continue }
        board.rows[index].state = .active
        board.rows[index].since = now
      }
    }
  }

  /// In the order of the configuration; then those that could not be made, then those that are leaving.
  func rows() -> [Row] {
    let now = WallClock().present
    return board.withLock { board in
      for index in board.rows.indices { board.rows[index].look(now) }
      board.rows.removeAll { $0.state == .removed && $0.provider?.openCalls == 0 }
      return board.rows
    }
  }

  private static func rows(_ registry: ProviderRegistry, _ quarantined: Set<String>, _ now: Int64) -> [Row] {
    let made = registry.active.map { number -> Row in
      let entry = registry.entries[number]
      return Row(
        id: entry.settings.id, number: number, state: .starting, message: "", since: now, provider: entry.provider,
        generation: entry.generation, models: [],
        refusedUpdate: registry.refusedUpdates.first { $0.provider == entry.settings.id })
    }
    let refused = registry.refusedProviders.map { refusal in
      Row(
        id: refusal.id, number: nil, state: quarantined.contains(refusal.id) ? .quarantined : .failed,
        message: "\(refusal.reason); \(refusal.remedy)", since: now, provider: nil, generation: 0, models: [])
    }
    let leaving = registry.entries.indices.filter { !registry.active.contains($0) }.map { number -> Row in
      let entry = registry.entries[number]
      return Row(
        id: entry.settings.id, number: number, state: .removed, message: "its last calls are ending", since: now,
        provider: entry.provider, generation: entry.generation, models: [])
    }
    return made + refused + leaving.filter { row in !(made + refused).contains { $0.id == row.id } }
  }
}

extension ProviderBoard.Row {
  private static let quarantine =
    "its plugin is in quarantine, since its worker ended too often; replace the file, or let it go again (unquarantine)"
  private static let restart = "its worker has ended, and another is being started"

  /// What nobody tells: how a worker fares. A look at atomics.
  fileprivate mutating func look(_ now: Int64) {
    guard let provider, state == .active || state == .starting else { return }
    if provider.isSpent {
      (state, message, since) = (.quarantined, Self.quarantine, now)
    } else if state == .active, provider.workerFigures?.pid == 0 {
      (state, message, since) = (.starting, Self.restart, now)
    } else if state == .starting, message == Self.restart, provider.workerFigures?.pid != 0 {
      (state, message, since) = (.active, "", now)
    }
  }
}

extension [ProviderBoard.Row] {
  /// Who stands as before does so since then.
  fileprivate func keepingTimes(of before: Self, _ serving: Set<ObjectIdentifier>) -> Self {
    map { row in
      var row = row
      if row.state == .starting, let provider = row.provider, serving.contains(ObjectIdentifier(provider)) {
        row.state = .active
      }
      guard let old = before.first(where: { $0.id == row.id }) else { return row }
      if row.state == .starting, old.state == .active {
        // A new version of what serves: the old one does until it is there.
        row.state = .active
      }
      if row.state == old.state, row.generation == old.generation { row.since = old.since }
      return row
    }
  }
}
