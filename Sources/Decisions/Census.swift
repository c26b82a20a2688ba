/// Who is connected: connections in all and by address, and sessions. Plain data; `Core` guards it.
package struct Census {
  /// The bytes of an IPv4-mapped or IPv6 address; a unix peer has none and is not counted by address.
  package struct Address: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
      self.high = high
      self.low = low
    }
  }

  package enum Refusal: Equatable, Sendable {
    case connections(limit: Int)
    case connectionsPerAddress(limit: Int)
  }

  /// What becomes of a connection that was accepted.
  package enum Entrance: Equatable, Sendable {
    case welcome
    /// It is told why, then closed.
    case refused(Refusal)
    /// It is closed at once and not counted: too many that were refused have not left yet.
    case turnedAway
  }

  /// Connections over a limit that may be here at a time, to be told why. They keep no place from anybody, and
  /// descriptors are there for them.
  package static let refusedLimit = 64

  /// A lowered limit ends nothing: it refuses until enough has gone.
  package struct Limits: Equatable, Sendable {
    package var connections: Int
    package var connectionsPerAddress: Int
    package var sessions: Int

    package init(connections: Int, connectionsPerAddress: Int, sessions: Int) {
      self.connections = connections
      self.connectionsPerAddress = connectionsPerAddress
      self.sessions = sessions
    }
  }

  /// What became of a hello.
  package enum Opening: Equatable, Sendable {
    /// The session's number, one that a closed session had if possible.
    case opened(Int)
    case sessions(limit: Int)
    case principalSessions(limit: Int)
  }

  package var limits: Limits
  /// By the principal's number; beyond them there is no limit.
  package var principalLimits: [PrincipalLimit] = []
  package private(set) var connections = 0
  private(set) var refused = 0
  /// Connections that found none free, and sessions, since the start. Those over a limit of their own address or
  /// principal do not count: the host had room.
  package private(set) var refusedConnections: UInt64 = 0
  package private(set) var refusedSessions: UInt64 = 0
  package private(set) var sessions = 0
  private var byAddress: [Address: Int] = [:]
  private var byPrincipal = PrincipalCounts()
  private var freeSessions: [Int32] = []
  private var sessionSlots: Int32 = 0

  package init(_ limits: Limits) { self.limits = limits }

  /// Counts a connection that was accepted, unless it is turned away.
  package mutating func connectionOpened(from address: Address?) -> Entrance {
    let ofAddress = address.map { byAddress[$0, default: 0] } ?? 0
    if connections >= limits.connections {
      refusedConnections &+= 1
      return refuse(.connections(limit: limits.connections))
    }
    if ofAddress >= limits.connectionsPerAddress {
      return refuse(.connectionsPerAddress(limit: limits.connectionsPerAddress))
    }
    connections += 1
    if let address { byAddress[address] = ofAddress + 1 }
    return .welcome
  }

  private mutating func refuse(_ refusal: Refusal) -> Entrance {
    guard refused < Self.refusedLimit else { return .turnedAway }
    refused += 1
    return .refused(refusal)
  }

  /// Counts out what was counted: who was welcome, or refused.
  package mutating func connectionClosed(from address: Address?, wasRefused: Bool = false) {
    if wasRefused {
      refused -= 1
      return
    }
    connections -= 1
    guard let address, let count = byAddress[address] else { return }
    byAddress[address] = count > 1 ? count - 1 : nil
  }

  /// - Parameter principal: its number; nil: there are none.
  package mutating func openSession(principal: Int? = nil) -> Opening {
    if let principal, principal < principalLimits.count, let limit = principalLimits[principal].sessions,
      byPrincipal[principal] >= limit
    {
      return .principalSessions(limit: limit)
    }
    guard sessions < limits.sessions else {
      refusedSessions &+= 1
      return .sessions(limit: limits.sessions)
    }
    sessions += 1
    byPrincipal.add(1, to: principal)
    if let free = freeSessions.popLast() { return .opened(Int(free)) }
    sessionSlots += 1
    return .opened(Int(sessionSlots - 1))
  }

  /// - Parameter principal: the one it was opened with.
  package mutating func closeSession(_ session: Int, principal: Int? = nil) {
    sessions -= 1
    byPrincipal.add(-1, to: principal)
    freeSessions.append(Int32(session))
  }
}
