import Bytes
import Decisions
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
  let loopCount: Int
  let memory: HeldMemory
  let metrics: MetricsRegistry
  let health: HealthMonitor
  let monitor: Monitor
  /// nil: none is kept.
  let history: History?

  init(
    configuration: Configuration, log: Log, core: Core, principals: Principals, version: String, loopCount: Int = 1
  ) {
    self.loopCount = loopCount
    memory = HeldMemory(limit: configuration.limits.bufferedBytes, loops: loopCount)
    monitor = Monitor(configuration)
    self.configuration = configuration
    self.log = log
    self.core = core
    self.principals = principals
    self.version = version
    startedAt = .now()
    metrics = MetricsRegistry(
      core: core, memory: memory, version: version, startedAt: startedAt,
      loops: configuration.metrics.counting ? loopCount : 0)
    health = HealthMonitor(
      core: core, memory: memory, version: version, startedAt: startedAt, loopCount: loopCount)
    metrics.add(HealthMetrics(monitor: health))
    history = History(configuration.storage, log)
    if let history {
      metrics.add(history)
      health.watch(history)
    }
    health.watch(log)
    monitor.tellHealth { [health] in health.report(now: .now()).json }
    metrics.add(log)
    metrics.add(monitor.seats)
  }
}

/// One event loop and everything that lives on it: its connections, its waiting calls, its view of the providers.
///
/// Thread: the loop's, but for `deliver`.
final class HostLoop: @unchecked Sendable {  // Confined to its loop; `deliver` only submits.
  let eventLoop: EventLoop
  let services: HostServices
  /// nil: nothing is counted.
  let meter: LoopMeter?
  /// nil until the registry stands: calls are answered SERVICE_UNAVAILABLE, reason `starting`.
  private(set) var routing: Routing?
  /// Received bytes of whichever connection is read now; a connection keeps only what is left over.
  var scratch = ByteBuffer()
  /// Memory that the connection which speaks next may have (`Connection.borrowBlock`).
  var spareBlock = ByteBuffer()
  /// The body of whichever call is opened now.
  var bodyScratch = ByteBuffer()
  private(set) var connections: [Connection] = []
  private(set) var isDraining = false
  var handshakePace = HandshakePace()
  /// Told when the last connection is gone, watchers apart (the control thread waits for it while draining).
  var onEmpty: (() -> Void)?
  /// Results that are kept for requests that come again.
  var results: ResultStore
  private var sessionsOpened: UInt64 = 0
  private let hash = KeyedHash(key: (.random(in: .min ... .max), .random(in: .min ... .max)))
  /// Every call that has not ended, in no order.
  private(set) var calls: [Call] = []
  /// What is known of calls beside what they need to run.
  var records = CallRecords()
  /// Clients that said hello, by their serial.
  var sessions: [UInt64: NativeSession] = [:]
  /// Who watches the host through this loop.
  private(set) lazy var feed = LoopFeed(self)
  private var waiting: [UInt64: Call] = [:]
  private var callsBegun: UInt64 = 0
  /// Read by the accepting loop to choose the loop with the fewest.
  let connectionCount = Atomic<Int>(0)
  let peers: LoopDirectory
  private var throttles: [String: LogThrottle] = [:]

  init(eventLoop: EventLoop, services: HostServices, peers: LoopDirectory) {
    self.eventLoop = eventLoop
    self.services = services
    meter = services.metrics.meter(ofLoop: eventLoop.index)
    eventLoop.turns = meter?.turns
    self.peers = peers
    configuration = services.configuration
    results = Self.results(configuration, services)
    compression = LoopCompression(configuration.websocket, services, logs: eventLoop.index == 0)
  }

  var core: Core { services.core }
  var now: Instant { eventLoop.now }
  /// Who stands behind WebSocket links; nil: the native protocol.
  var messageService: MessageService?
  /// zlib's states for the links of this loop; nil: nothing is compressed.
  private(set) var compression: LoopCompression?
  /// What is in force on this loop.
  private(set) var configuration: Configuration

  /// Takes another configuration in force. Thread: the loop's.
  func adopt(_ configuration: Configuration) {
    // With other bounds what was kept is forgotten.
    if configuration.results != self.configuration.results { results = Self.results(configuration, services) }
    if configuration.websocket != self.configuration.websocket {
      compression = LoopCompression(configuration.websocket, services, logs: eventLoop.index == 0)
    }
    self.configuration = configuration
    services.memory.setLimit(configuration.limits.bufferedBytes)
    sweep()
  }

  /// Each loop has its share of the bytes.
  private static func results(_ configuration: Configuration, _ services: HostServices) -> ResultStore {
    ResultStore(
      bytesLimit: configuration.results.keepBytes / max(1, services.loopCount),
      keepNanoseconds: configuration.results.keepMilliseconds * 1_000_000)
  }

  func nextSessionSerial() -> UInt64 {
    sessionsOpened &+= 1
    return sessionsOpened
  }

  /// What a chat asks for: the model and the canonical body, which has neither the id nor `stream` nor `timeout`.
  func fingerprint(model: ModelEntry, body: UnsafeRawBufferPointer) -> Fingerprint {
    var id = model.id
    var provider = model.providerID
    let bits = id.withUTF8 { id in
      provider.withUTF8 { hash.hash(UnsafeRawBufferPointer($0), UnsafeRawBufferPointer(id), body) }
    }
    return Fingerprint(high: bits.high, low: bits.low)
  }

  func resultKey(session: UInt64, id: [UInt8]) -> ResultStore.Key {
    let bits = id.withUnsafeBytes { hash.hash($0) }
    return ResultStore.Key(session: session, id: Fingerprint(high: bits.high, low: bits.low))
  }

  // MARK: - Sweeps

  /// Begins to look for what is idle, every `sessions.sweep_seconds`. Thread: the loop's.
  func beginSweeps() {
    let due = now.advanced(milliseconds: configuration.sessions.sweepMilliseconds)
    _ = eventLoop.schedule(at: due, SweepTimer(self), tag: 0)
  }

  private final class SweepTimer: TimerTarget {
    private unowned let loop: HostLoop
    init(_ loop: HostLoop) { self.loop = loop }

    func timerFired(_ tag: UInt32) {
      loop.sweep()
      loop.beginSweeps()
    }
  }

  private func sweep() {
    for connection in connections { connection.sweep() }
    results.expire(now: now)
  }

  // MARK: - Durations, in nanoseconds

  func clockLimits(total: UInt64) -> CallClocks.Limits {
    let timeouts = configuration.timeouts
    return CallClocks.Limits(
      firstToken: timeouts.firstTokenMilliseconds * 1_000_000, progress: timeouts.progressMilliseconds * 1_000_000,
      total: total, heartbeat: timeouts.heartbeatMilliseconds * 1_000_000)
  }

  var retryPolicy: RetryPolicy { configuration.retryPolicy }

  var connectNanoseconds: UInt64 { configuration.timeouts.connectMilliseconds * 1_000_000 }
  var queueNanoseconds: UInt64 { configuration.limits.queueMilliseconds * 1_000_000 }

  // MARK: - Routing

  func adopt(_ routing: Routing) {
    self.routing = routing
    services.health.adopt(routing, loop: eventLoop.index)
  }

  // MARK: - Calls

  func nextTicket() -> Ticket {
    callsBegun &+= 1
    return Ticket(loop: Int32(eventLoop.index), call: callsBegun)
  }

  func nextRandom() -> UInt64 { .random(in: .min ... .max) }

  func add(_ call: Call) {
    call.slot = calls.count
    calls.append(call)
  }

  /// The last one takes its place.
  func remove(_ call: Call) {
    guard calls.indices.contains(call.slot), calls[call.slot] === call else { return }
    let last = calls.removeLast()
    guard last !== call else { return }
    calls[call.slot] = last
    last.slot = call.slot
  }

  func wait(_ call: Call) { waiting[call.ticket.call] = call }

  /// A grant that is under way finds nobody and gives its permit back.
  func stopWaiting(_ call: Call, provider: Int) {
    waiting[call.ticket.call] = nil
    core.withdraw(call.ticket, provider: provider)
  }

  /// Gives a permit back and tells whoever is concerned.
  func release(_ permit: consuming Permit, _ verdict: Verdict) { tell(permit.release(verdict, now: now)) }

  /// Brings what followed from an event in the Core to the loops of the calls. Thread: any.
  func tell(_ effects: Admission.Effects) { peers.tell(effects, log: services.log, routing: routing) }

  /// Brings a grant to its call. Thread: any.
  func deliver(_ grant: Admission.Grant) {
    post { [self] in
      let permit = core.permit(of: grant)
      guard let call = waiting.removeValue(forKey: grant.ticket.call) else { return release(permit, .neutral) }
      call.granted(permit)
    }
  }

  /// Tells a call that its provider's breaker has opened. Thread: any.
  func deliver(_ eviction: Admission.Eviction) {
    post { [self] in
      waiting.removeValue(forKey: eviction.ticket.call)?.evicted(
        retryAfterNanoseconds: eviction.retryAfterNanoseconds)
    }
  }

  /// Ends whatever an overdue lease stands for, upstream first, and takes the lease back if nobody owns it any more.
  /// Thread: any.
  func reclaim(_ overdue: Leases.Overdue) {
    post { [self] in
      if let call = calls.first(where: { $0.ticket == overdue.lease.ticket }) {
        call.endOverdue()
      }
      guard let effects = core.recover(overdue.id, now: now) else { return }
      services.log.warning(
        "Recovered an overdue lease", ("request_id", RequestID.content(of: overdue.lease.owner)),
        ("session", "\(overdue.lease.session)"))
      tell(effects)
    }
  }

  /// Another loop has the connection that holds the most. Thread: any.
  func askToRelieveMemory(loop: Int) {
    let other = peers[loop]
    other.post { other.relieveMemory() }
  }

  /// Runs `body` on this loop, later. Thread: any.
  func post(_ body: @escaping () -> Void) {
    if eventLoop.isCurrent { return eventLoop.enqueue(.work(body)) }
    eventLoop.submitPastBound(.work(body))
  }

  /// The checklist's lines: once for each call that ran out of time, and for each call at debug level.
  func logEnd(of call: Call, isTimeout: Bool, hadPermit: Bool) {
    guard isTimeout || services.log.isEnabled(.debug) else { return }
    let names = call.names
    if isTimeout, hadPermit {
      services.log.write(
        .info, "Released semaphore after timeout",
        names + [("provider", call.model.providerID), ("total_seconds", CallError.seconds(call.plan.total))])
    }
    services.log.write(
      isTimeout ? .info : .debug, "Removed \(names[0].value) from in-flight", kind: "Removed from in-flight",
      names + [("remaining", "\(calls.count)")])
  }

  /// Writes a line that a peer can provoke, as often as its kind allows (`LogThrottle`).
  ///
  /// - Parameter kind: tells apart what must not hide each other: few, and none of a peer's choice.
  func warn(_ message: String, kind: String = "", _ fields: [LogField]) {
    guard let unreported = throttles[message + kind, default: LogThrottle()].admit(now: now) else { return }
    services.log.write(.warning, message, unreported == 0 ? fields : fields + [("unreported_total", "\(unreported)")])
  }

  // MARK: - Connections

  /// Takes a socket that was accepted, on whichever loop. With an `identity` it speaks TLS. Thread: the loop's.
  func open(_ socket: consuming AcceptedSocket, serves: Configuration.Services, identity: TLSIdentity? = nil) {
    let peer = socket.peer
    let address = peer.family == .unix ? nil : Census.Address(high: peer.high, low: peer.low)
    let refusal: Census.Refusal?
    meter?.accepted()
    switch core.connectionOpened(from: address) {
    case .welcome: refusal = nil
    case .refused(let reason): refusal = reason
    case .turnedAway:
      meter?.closed(.finished)
      return warn("Turned a connection away: too many are being refused", [("peer", "\(peer)")])
    }
    let connection = Connection(descriptor: socket.take(), address: address, loop: self, identity: identity)
    connection.peer = peer
    connection.wasRefused = refusal != nil
    let front = { [self] in
      HTTPFront(
        connection: connection,
        responder: HTTPRouter(loop: self, serves: serves, refusal: refusal, isSecure: identity != nil))
    }
    do {
      try connection.start(identity == nil ? front() : TLSGreeting(connection: connection, next: front))
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
    for connection in connections { connection.abort(.shutdown) }
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
    emptied()
  }

  /// Tells `onEmpty` when none is left but those who only watch.
  func emptied() { if connections.count <= feed.watchers.count { onEmpty?() } }
}

/// The host's loops by number, filled before the first of them starts and never changed after.
final class LoopDirectory: @unchecked Sendable {  // Written once, before any other thread exists.
  private var loops: [HostLoop] = []

  func fill(_ loops: [HostLoop]) {
    precondition(self.loops.isEmpty, "the loops are listed once")
    self.loops = loops
  }

  subscript(_ index: Int) -> HostLoop { loops[index] }
  var all: [HostLoop] { loops }

  /// Tells the loops what followed from an event in the Core. Thread: any.
  func tell(_ effects: Admission.Effects, log: Log, routing: Routing?) {
    guard !effects.isEmpty else { return }
    for grant in effects.grants { loops[Int(grant.ticket.loop)].deliver(grant) }
    for eviction in effects.evictions { loops[Int(eviction.ticket.loop)].deliver(eviction) }
    guard let breaker = effects.breaker else { return }
    let name = routing.flatMap {
      $0.providers.indices.contains(breaker.provider) ? $0.providers[breaker.provider].information.id : nil
    }
    switch breaker.change {
    case .opened:
      log.warning(
        "The breaker has opened", ("provider", name ?? "\(breaker.provider)"),
        ("retry_seconds", CallError.seconds(breaker.nanoseconds)))
    case .closed: log.info("The breaker has closed", ("provider", name ?? "\(breaker.provider)"))
    }
  }

  /// Gives an accepted socket to the loop with the fewest connections. Thread: loop 0's.
  func hand(_ socket: consuming AcceptedSocket, serves: Configuration.Services, identity: TLSIdentity?) {
    var target = loops[0]
    var fewest = target.connectionCount.load(ordering: .relaxed)
    for loop in loops.dropFirst() {
      let count = loop.connectionCount.load(ordering: .relaxed)
      if count < fewest { (target, fewest) = (loop, count) }
    }
    if target.eventLoop.isCurrent { return target.open(socket, serves: serves, identity: identity) }
    let peer = socket.peer
    let descriptor = socket.take()
    let chosen = target
    let isTaken = chosen.eventLoop.submit(
      .work { chosen.open(AcceptedSocket(fd: descriptor, peer: peer), serves: serves, identity: identity) })
    if !isTaken { close(descriptor) }
  }
}
