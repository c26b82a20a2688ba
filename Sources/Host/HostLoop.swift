import Bytes
import Glibc
import Synchronization

/// What all loops of a host share; immutable but for what guards itself.
///
/// Thread: any.
final class HostServices: Sendable {
  let configuration: Configuration
  let log: Log
  let core: Core
  let principals: Principals
  let startedAt: Instant
  let version: String

  init(configuration: Configuration, log: Log, core: Core, principals: Principals, version: String) {
    self.configuration = configuration
    self.log = log
    self.core = core
    self.principals = principals
    self.version = version
    startedAt = .now()
  }
}

/// One event loop and everything that lives on it: its connections, its waiting calls, its view of the providers.
///
/// Thread: the loop's, but for `deliver`.
final class HostLoop: @unchecked Sendable {  // Confined to its loop; `deliver` only submits.
  let eventLoop: EventLoop
  let services: HostServices
  /// nil until the registry stands: calls are answered SERVICE_UNAVAILABLE, reason `starting`.
  private(set) var routing: Routing?
  /// Received bytes of whichever connection is read now; a connection keeps only what is left over.
  var scratch = ByteBuffer()
  /// The body of whichever call is opened now.
  var bodyScratch = ByteBuffer()
  private(set) var connections: [Connection] = []
  private(set) var isDraining = false
  /// Told when the last connection is gone (the control thread waits for it while draining).
  var onEmpty: (() -> Void)?
  private var waiting: [UInt64: Call] = [:]
  private var callsBegun: UInt64 = 0
  /// Read by the accepting loop to choose the loop with the fewest.
  let connectionCount = Atomic<Int>(0)
  private let peers: LoopDirectory

  init(eventLoop: EventLoop, services: HostServices, peers: LoopDirectory) {
    self.eventLoop = eventLoop
    self.services = services
    self.peers = peers
  }

  var core: Core { services.core }
  var now: Instant { eventLoop.now }
  var configuration: Configuration { services.configuration }

  // MARK: - Durations, in nanoseconds

  func clockLimits(total: UInt64) -> CallClocks.Limits {
    let timeouts = configuration.timeouts
    return CallClocks.Limits(
      firstToken: timeouts.firstTokenMilliseconds * 1_000_000, progress: timeouts.progressMilliseconds * 1_000_000,
      total: total, heartbeat: timeouts.heartbeatMilliseconds * 1_000_000)
  }

  var connectNanoseconds: UInt64 { configuration.timeouts.connectMilliseconds * 1_000_000 }
  var queueNanoseconds: UInt64 { configuration.limits.queueMilliseconds * 1_000_000 }

  // MARK: - Routing

  func adopt(_ routing: Routing) { self.routing = routing }

  // MARK: - Calls that wait

  func nextTicket() -> Admission.Ticket {
    callsBegun &+= 1
    return Admission.Ticket(loop: Int32(eventLoop.index), call: callsBegun)
  }

  func wait(_ call: Call) { waiting[call.ticket.call] = call }

  /// A grant that is under way finds nobody and gives its permit back.
  func stopWaiting(_ call: Call) {
    waiting[call.ticket.call] = nil
    core.withdraw(call.ticket)
  }

  /// Gives a permit back and starts whoever waited for it.
  func release(_ permit: consuming Permit) {
    for grant in permit.release(now: now) { peers[Int(grant.ticket.loop)].deliver(grant) }
  }

  /// Brings a grant to its call. Thread: any.
  private func deliver(_ grant: Admission.Grant) {
    let job = Job.work { [self] in
      let permit = core.permit(of: grant)
      guard let call = waiting.removeValue(forKey: grant.ticket.call) else { return release(permit) }
      call.granted(permit)
    }
    if eventLoop.isCurrent { return eventLoop.enqueue(job) }
    eventLoop.submitPastBound(job)
  }

  // MARK: - Connections

  /// Takes a socket that was accepted, on whichever loop. Thread: the loop's.
  func open(_ socket: consuming AcceptedSocket, serves: Configuration.Services) {
    let peer = socket.peer
    let address = peer.family == .unix ? nil : Census.Address(high: peer.high, low: peer.low)
    let refusal = core.connectionOpened(from: address)
    let connection = Connection(descriptor: socket.take(), address: address, loop: self)
    let front = HTTPFront(connection: connection, serves: serves, refusal: refusal)
    do {
      try connection.start(front)
    } catch {
      services.log.error("Cannot watch a connection", ("reason", "\(error)"))
    }
  }

  /// Ends what is idle and lets the rest finish; when `isOver`, ends the rest too.
  func drain(isOver: Bool) {
    isDraining = true
    for connection in connections { connection.drain(isOver: isOver) }
  }

  /// The last resort of a shutdown: whatever has not closed by itself.
  func abortConnections() {
    for connection in connections { connection.abort() }
  }

  func add(_ connection: Connection) {
    connection.slot = connections.count
    connections.append(connection)
    connectionCount.add(1, ordering: .relaxed)
  }

  /// The last one takes its place.
  func remove(_ connection: Connection) {
    guard connections.indices.contains(connection.slot), connections[connection.slot] === connection else { return }
    let last = connections.removeLast()
    if last !== connection {
      connections[connection.slot] = last
      last.slot = connection.slot
    }
    connectionCount.subtract(1, ordering: .relaxed)
    if connections.isEmpty { onEmpty?() }
  }
}

/// The host's loops by number, filled before the first of them starts and never changed after.
final class LoopDirectory: @unchecked Sendable {  // Written once, before any other thread exists.
  private var loops: [HostLoop] = []

  func fill(_ loops: [HostLoop]) {
    precondition(self.loops.isEmpty, "the loops are listed once")
    self.loops = loops
  }

  subscript(_ index: Int) -> HostLoop { loops[index] }

  /// Gives an accepted socket to the loop with the fewest connections. Thread: loop 0's.
  func hand(_ socket: consuming AcceptedSocket, serves: Configuration.Services) {
    var target = loops[0]
    var fewest = target.connectionCount.load(ordering: .relaxed)
    for loop in loops.dropFirst() {
      let count = loop.connectionCount.load(ordering: .relaxed)
      if count < fewest { (target, fewest) = (loop, count) }
    }
    if target.eventLoop.isCurrent { return target.open(socket, serves: serves) }
    let peer = socket.peer
    let descriptor = socket.take()
    let chosen = target
    let isTaken = chosen.eventLoop.submit(
      .work { chosen.open(AcceptedSocket(fd: descriptor, peer: peer), serves: serves) })
    if !isTaken { close(descriptor) }
  }
}
