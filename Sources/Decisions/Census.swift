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

  package var limits: Limits
  package private(set) var connections = 0
  package private(set) var sessions = 0
  private var byAddress: [Address: Int] = [:]
  private var freeSessions: [Int32] = []
  private var sessionSlots: Int32 = 0

  package init(_ limits: Limits) { self.limits = limits }

  /// Counts a connection, also one over the limit: it is told why before it is closed, and counted out then.
  package mutating func connectionOpened(from address: Address?) -> Refusal? {
    connections += 1
    var ofAddress = 0
    if let address {
      ofAddress = byAddress[address, default: 0] + 1
      byAddress[address] = ofAddress
    }
    if connections > limits.connections { return .connections(limit: limits.connections) }
    if ofAddress > limits.connectionsPerAddress {
      return .connectionsPerAddress(limit: limits.connectionsPerAddress)
    }
    return nil
  }

  package mutating func connectionClosed(from address: Address?) {
    connections -= 1
    guard let address, let count = byAddress[address] else { return }
    byAddress[address] = count > 1 ? count - 1 : nil
  }

  /// A number for a new session, the smallest range of numbers being reused; nil when the limit is reached.
  package mutating func openSession() -> Int? {
    guard sessions < limits.sessions else { return nil }
    sessions += 1
    if let free = freeSessions.popLast() { return Int(free) }
    sessionSlots += 1
    return Int(sessionSlots - 1)
  }

  package mutating func closeSession(_ session: Int) {
    sessions -= 1
    freeSessions.append(Int32(session))
  }
}
