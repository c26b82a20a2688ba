import Decisions

/// One client's session on its loop, with what the client still expects to hear.
final class SimulatedSession {
  private let world: World
  let loop: SimulatedLoop
  let number: Int
  let principal: Int
  let serial: UInt64
  private(set) var isOpen = true
  private var calls = SessionCalls<SimulatedCall>()
  private var life: SessionLife
  /// Replies that are due, by request id; only looked up and added up.
  private var due: [[UInt8]: Int] = [:]
  private(set) var dueCount = 0
  private(set) var ids: [[UInt8]] = []

  init(world: World, loop: SimulatedLoop, number: Int, principal: Int) {
    self.world = world
    self.loop = loop
    self.number = number
    self.principal = principal
    serial = loop.nextSerial()
    life = SessionLife(now: world.now)
  }

  var callCount: Int { calls.entries.count }

  /// Places of its limit that are taken, also by leases that were lost.
  func places(without call: SimulatedCall) -> Int {
    calls.entries.count { $0.call !== call } + world.lostPlaces(session: number)
  }

  func heard() { life.heard(now: world.now) }

  // MARK: - Requests

  func request(_ id: [UInt8], arguments: UInt64, total: UInt64, refusesDuplicates: Bool) {
    world.ledger.count { $0.requests += 1 }
    expect(id)
    if !ids.contains(id) { ids.append(id) }
    let fingerprint = Fingerprint(high: arguments, low: 1)
    switch calls.arrive(id, fingerprint, refusesDuplicates: refusesDuplicates) {
    case .joins: return
    case .conflicts: return reply(id, .conflict)
    case .duplicate: return reply(id, .duplicate)
    case .new: break
    }
    if let kept = loop.results.find(key(of: id), now: world.now) {
      let result = KeptResult(kept.bytes)
      world.ledger.hold(result.session == serial && result.id == key(of: id).id.high, "another request's result")
      world.ledger.hold(
        world.now.nanoseconds(since: Instant(nanoseconds: result.endedAt)) < world.scenario.keepNanoseconds,
        "a result was kept too long")
      return reply(id, kept.fingerprint == fingerprint ? .cached : .conflict)
    }
    let call = SimulatedCall(
      world: world, loop: loop, session: self, id: id, total: total, losesPermit: world.chance.once(in: 20_000))
    loop.began(call)
    calls.begin(id, fingerprint, call)
    let places = calls.entries.count { $0.call !== call && !$0.call.isSentAway }
    world.ledger.hold(places <= world.highestSessionInFlight, "\(places) calls of a session run or wait")
    guard let conclusion = call.start() else { return }
    _ = calls.end { $0 === call }
    reply(id, Reply(conclusion))
  }

  func cancel(_ id: [UInt8]) {
    switch calls.leave(id) {
    case .unknown: break
    case .left:
      reply(id, .cancelled)
      world.ledger.hold(
        (calls.entries.first { $0.id == id }?.waiters ?? 0) > 0, "the last who waited left, and the call goes on")
    case .last(let call): call.cancel()
    }
  }

  /// The call is over; `isStarting`: who began it answers.
  func ended(_ call: SimulatedCall, _ conclusion: CallMachine.Conclusion, isStarting: Bool) {
    guard !isStarting else { return }
    guard let entry = calls.end(where: { $0 === call }) else {
      return world.ledger.hold(!isOpen, "a call ended that its session does not know")
    }
    for _ in 0..<entry.waiters { reply(entry.id, Reply(conclusion)) }
    world.ledger.hold(!isOpen || due[entry.id, default: 0] == 0, "somebody who waited for a call was not answered")
    guard conclusion == .complete, isOpen, let fingerprint = entry.fingerprint else { return }
    let key = key(of: entry.id)
    let result = KeptResult(session: serial, id: key.id.high, endedAt: call.endedAt.nanoseconds)
    result.write(padding: Int(call.ticket.call % 4_000)) { loop.results.insert(key, fingerprint, $0, now: world.now) }
    world.ledger.hold(loop.results.count <= world.scenario.keepBytes / 4, "\(loop.results.count) results are kept")
  }

  private func key(of id: [UInt8]) -> ResultStore.Key {
    let number = id.reduce(1) { $0 &* 257 &+ UInt64($1) }
    return ResultStore.Key(session: serial, id: Fingerprint(high: number, low: number))
  }

  /// A slow reader catches up after a while.
  func pause() { world.schedule(after: world.chance.milliseconds(10, 4_000), .catchUp(self)) }

  func resumed() {
    for entry in calls.entries { entry.call.resumed() }
  }

  // MARK: - Replies

  private func expect(_ id: [UInt8]) {
    due[id, default: 0] += 1
    dueCount += 1
  }

  private func reply(_ id: [UInt8], _ reply: Reply) {
    world.ledger.count { $0.replies[reply.rawValue] += 1 }
    world.ledger.note(UInt64(id.count), UInt64(reply.rawValue))
    guard isOpen else { return }
    world.ledger.hold(due[id, default: 0] > 0, "a reply \(reply) that nobody expects")
    due[id, default: 0] -= 1
    dueCount -= 1
  }

  // MARK: - The end

  func isIdle(now: Instant) -> Bool {
    life.isOver(idleNanoseconds: world.scenario.idleNanoseconds, hasCalls: !calls.isEmpty, now: now)
  }

  /// The connection is gone: nobody hears anything any more.
  func close() {
    guard isOpen else { return }
    isOpen = false
    for entry in calls.entries { entry.call.cancel() }
    world.ledger.hold(calls.isEmpty, "a session that ended has calls")
    world.core.closeSession(number, principal: principal)
    world.closedSession()
  }
}

/// What stands for a kept result: enough to tell whose it is.
private struct KeptResult {
  var session: UInt64
  var id: UInt64
  var endedAt: UInt64

  init(session: UInt64, id: UInt64, endedAt: UInt64) {
    self.session = session
    self.id = id
    self.endedAt = endedAt
  }

  init(_ bytes: UnsafeRawBufferPointer) {
    session = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
    id = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    endedAt = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
  }

  func write(padding: Int, _ use: (UnsafeRawBufferPointer) -> Void) {
    var words = [session, id, endedAt]
    words += [UInt64](repeating: 0, count: padding / 8)
    words.withUnsafeBytes(use)
  }
}
