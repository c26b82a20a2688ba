/// What one principal may have at once, over all its sessions; nil: only the host's own limits hold.
package struct PrincipalLimit: Equatable, Sendable {
  /// Calls that run or wait.
  package var inFlight: Int?
  package var sessions: Int?

  package init(inFlight: Int? = nil, sessions: Int? = nil) {
    self.inFlight = inFlight
    self.sessions = sessions
  }
}

/// Something that is counted for each principal, by its number. Plain data; numbers are small and never used anew.
struct PrincipalCounts {
  private var counts: [Int] = []

  subscript(_ principal: Int?) -> Int {
    guard let principal, principal < counts.count else { return 0 }
    return counts[principal]
  }

  mutating func add(_ change: Int, to principal: Int?) {
    guard let principal else { return }
    while counts.count <= principal { counts.append(0) }
    counts[principal] += change
  }
}
