package import JSON

/// What a host's `health` says of it (docs/protocol.md). nil: this host does not say.
package struct HostFigures: Equatable, Sendable {
  package var inFlight: Int
  package var queued: Int
  package var sessions: Int
  package var connections: Int?
  package var overdueLeases: Int
  package var droppedPermits: Int
  /// Calls that got a permit since the host began.
  package var admitted: Int?
  package var refused: Int?
  /// Calls that were opened at a provider since the host began, over all providers that say so.
  package var upstreamCalls: Int?
  package var pid: Int?
  package var residentBytes: Int?
  package var descriptors: Int?
  package var threads: Int?
  /// Providers that answer with the prompt itself.
  package var echoProviders: Set<String>

  /// The plugin whose providers answer with the prompt.
  private static let echoPlugin = "org.patchbay.echo"

  /// nil: `health` lacks the number of calls in flight or of sessions, so it is no host's.
  package init?(health: JSONValue) {
    func number(_ name: String, of value: JSONValue? = health) -> Int? {
      value?[name]?.integer.map { Int($0) }
    }
    guard let inFlight = number("global_in_flight"), let sessions = number("sessions") else { return nil }
    self.inFlight = inFlight
    self.sessions = sessions
    queued = number("queued") ?? 0
    connections = number("connections")
    overdueLeases = number("overdue_leases") ?? 0
    droppedPermits = number("dropped_permits") ?? 0
    admitted = number("admitted", of: health["counters"])
    refused = number("refused", of: health["counters"])
    pid = number("pid", of: health["process"])
    residentBytes = number("resident_bytes", of: health["process"])
    descriptors = number("descriptors", of: health["process"])
    threads = number("threads", of: health["process"])
    let providers = health["providers"]?.members ?? []
    let opens = providers.compactMap { number("upstream_calls", of: $0.value) }
    upstreamCalls = opens.isEmpty ? nil : opens.reduce(0, &+)
    echoProviders = Set(providers.filter { $0.value["plugin"]?.string == Self.echoPlugin }.map(\.key))
  }

  /// The larger of each figure, for the most that was seen.
  package func most(_ other: HostFigures) -> HostFigures {
    func larger(_ left: Int?, _ right: Int?) -> Int? {
      guard let left, let right else { return left ?? right }
      return max(left, right)
    }
    var result = other
    result.inFlight = max(inFlight, other.inFlight)
    result.queued = max(queued, other.queued)
    result.sessions = max(sessions, other.sessions)
    result.connections = larger(connections, other.connections)
    result.residentBytes = larger(residentBytes, other.residentBytes)
    result.descriptors = larger(descriptors, other.descriptors)
    result.threads = larger(threads, other.threads)
    return result
  }
}
