import Decisions

/// One client's session on its loop, with what the client still expects to hear.
final class SimulatedSession {
  private let world: World
  let loop: SimulatedLoop
  let number: Int
  let serial: UInt64
  private(set) var isOpen = true
  private var calls = SessionCalls<SimulatedCall>()
  private var life: SessionLife
  /// Replies that are due, by request id; only looked up and added up.
  private var due: [[UInt8]: Int] = [:]
  private(set) var dueCount = 0
  private(set) var ids: [[UInt8]] = []

  init(world: World, loop: SimulatedLoop, number: Int) {
    self.world = world
    self.loop = loop
    self.number = number
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
    if let kept = loop.results.find(ResultStore.Key(session: serial, id: id), now: world.now) {
      world.ledger.hold(kept.value.session === self, "a result reached another session")
      world.ledger.hold(kept.value.conclusion == .complete, "a result was kept that did not complete")
      world.ledger.hold(
        world.now.nanoseconds(since: kept.value.endedAt) < world.scenario.keepNanoseconds, "a result was kept too long")
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
    loop.results.insert(
      ResultStore.Key(session: serial, id: entry.id), fingerprint, call, bytes: 40 + entry.id.count, now: world.now)
    world.ledger.hold(loop.results.bytes <= loop.results.bytesLimit, "\(loop.results.bytes) bytes of results")
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
    loop.results.removeAll(ofSession: serial)
    world.core.closeSession(number)
    world.closedSession()
  }
}
