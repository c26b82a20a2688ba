/// Who is connected: connections in all and by address, and sessions. Plain data; `Core` guards it.
struct Census {
  /// The bytes of an IPv4-mapped or IPv6 address; a unix peer has none and is not counted by address.
  struct Address: Hashable, Sendable {
    var high: UInt64
    var low: UInt64
  }

  enum Refusal: Equatable, Sendable {
    case connections(limit: Int)
    case connectionsPerAddress(limit: Int)
  }

  let connectionLimit: Int
  let connectionsPerAddressLimit: Int
  let sessionLimit: Int
  private(set) var connections = 0
  private(set) var sessions = 0
  private var byAddress: [Address: Int] = [:]
  private var freeSessions: [Int32] = []
  private var sessionSlots: Int32 = 0

  init(connectionLimit: Int, connectionsPerAddressLimit: Int, sessionLimit: Int) {
    self.connectionLimit = connectionLimit
    self.connectionsPerAddressLimit = connectionsPerAddressLimit
    self.sessionLimit = sessionLimit
  }

  /// Counts a connection, also one over the limit: it is told why before it is closed, and counted out then.
  mutating func connectionOpened(from address: Address?) -> Refusal? {
    connections += 1
    var ofAddress = 0
    if let address {
      ofAddress = byAddress[address, default: 0] + 1
      byAddress[address] = ofAddress
    }
    if connections > connectionLimit { return .connections(limit: connectionLimit) }
    if ofAddress > connectionsPerAddressLimit {
      return .connectionsPerAddress(limit: connectionsPerAddressLimit)
    }
    return nil
  }

  mutating func connectionClosed(from address: Address?) {
    connections -= 1
    guard let address, let count = byAddress[address] else { return }
    byAddress[address] = count > 1 ? count - 1 : nil
  }

  /// A number for a new session, the smallest range of numbers being reused; nil when the limit is reached.
  mutating func openSession() -> Int? {
    guard sessions < sessionLimit else { return nil }
    sessions += 1
    if let free = freeSessions.popLast() { return Int(free) }
    sessionSlots += 1
    return Int(sessionSlots - 1)
  }

  mutating func closeSession(_ session: Int) {
    sessions -= 1
    freeSessions.append(Int32(session))
  }
}
