/// Every alert of the host: which are raised, and what was told last.
///
/// Plain data with the times passed in; whoever owns it tells the events on. A subject that is looked at no longer, such
/// as a provider that was removed, recovers with the look that misses it.
package struct AlertBook: Sendable {
  package struct Key: Hashable, Sendable {
    /// The rule: `provider_permits`.
    package var name: String
    /// Whose it is: `kimi`, `host`, a path.
    package var subject: String

    package init(_ name: String, _ subject: String) {
      self.name = name
      self.subject = subject
    }
  }

  /// What one look has found of one subject.
  package struct Look: Equatable, Sendable {
    package var key: Key
    package var sight: AlertEpisode.Sight
    package var policy: AlertEpisode.Policy
    /// What is so, with its figures.
    package var message: String
    /// What to do about it.
    package var remedy: String

    package init(
      _ name: String, _ subject: String, _ sight: AlertEpisode.Sight, _ policy: AlertEpisode.Policy, message: String,
      remedy: String
    ) {
      key = Key(name, subject)
      self.sight = sight
      self.policy = policy
      self.message = message
      self.remedy = remedy
    }
  }

  /// One that is raised.
  package struct Alert: Equatable, Sendable {
    package var name: String
    package var subject: String
    package var severity: AlertEpisode.Severity
    package var message: String
    package var remedy: String
    /// Milliseconds since 1970.
    package var since: UInt64
  }

  /// What is told once.
  package struct Transition: Equatable, Sendable {
    package enum Severity: String, Sendable { case warning, critical, info }

    /// Milliseconds since 1970.
    package var at: UInt64
    package var name: String
    package var subject: String
    /// `info`: it is over.
    package var severity: Severity
    package var message: String
    /// "" when it is over.
    package var remedy: String
  }

  /// What of the past is kept.
  package static let recentLimit = 100

  private struct Entry: Sendable {
    var episode: AlertEpisode
    var message: String
    var remedy: String
    var since: UInt64
  }

  private var entries: [Key: Entry] = [:]
  /// The order in which they were raised.
  private var raised: [Key] = []
  /// The oldest first.
  private var past: [Transition] = []

  package init() {}

  /// The worst first, then the oldest.
  package var active: [Alert] {
    let all = raised.compactMap { key -> Alert? in
      guard let entry = entries[key], let severity = entry.episode.severity else { return nil }
      return Alert(
        name: key.name, subject: key.subject, severity: severity, message: entry.message, remedy: entry.remedy,
        since: entry.since)
    }
    return all.filter { $0.severity == .critical } + all.filter { $0.severity == .warning }
  }

  /// The newest first.
  package var recent: [Transition] { past.reversed() }

  package func severity(_ name: String, _ subject: String) -> AlertEpisode.Severity? {
    entries[Key(name, subject)]?.episode.severity
  }

  /// One round of looks at everything there is, at `now`; `wall` is the same in milliseconds since 1970. Returns what
  /// must be told, in order.
  package mutating func see(_ looks: [Look], now: Instant, wall: UInt64) -> [Transition] {
    var told: [Transition] = []
    for look in looks { take(look, now: now, wall: wall, into: &told) }
    let seen = Set(looks.map(\.key))
    for key in raised where !seen.contains(key) {
      told.append(
        Transition(
          at: wall, name: key.name, subject: key.subject, severity: .info, message: "it is not there any more",
          remedy: ""))
    }
    entries = entries.filter { seen.contains($0.key) }
    raised.removeAll { entries[$0]?.episode.severity == nil }
    past += told
    past.removeFirst(max(0, past.count - Self.recentLimit))
    return told
  }

  private mutating func take(_ look: Look, now: Instant, wall: UInt64, into told: inout [Transition]) {
    var entry =
      entries[look.key]
      ?? Entry(episode: AlertEpisode(look.policy), message: look.message, remedy: look.remedy, since: wall)
    let wasRaised = entry.episode.severity != nil
    let events = entry.episode.see(look.sight, now: now)
    if look.sight == .warning || look.sight == .critical { (entry.message, entry.remedy) = (look.message, look.remedy) }
    if !wasRaised, entry.episode.severity != nil {
      entry.since = wall
      raised.append(look.key)
    }
    for event in events {
      let severity: Transition.Severity =
        switch event {
        case .raised(.warning): .warning
        case .raised(.critical): .critical
        case .recovered: .info
        }
      told.append(
        Transition(
          at: wall, name: look.key.name, subject: look.key.subject, severity: severity, message: look.message,
          remedy: severity == .info ? "" : look.remedy))
    }
    entries[look.key] = entry
  }
}
