import Decisions

/// One event loop of the simulated host: a mailbox that others post to, its calls, its kept results. It may stand still
/// for a while, as a thread does that the machine does not run.
final class SimulatedLoop {
  enum Message {
    case grant(Admission.Grant)
    case eviction(Admission.Eviction)
    case overdue(Leases.Overdue)
  }

  private unowned let world: World
  let index: Int
  private(set) var calls: [SimulatedCall] = []
  /// Only looked up.
  private var waiting: [UInt64: SimulatedCall] = [:]
  var results: ResultStore
  private var mailbox: [Message] = []
  private var callsBegun: UInt64 = 0
  private var sessionsOpened: UInt64 = 0
  private(set) var stalledUntil = Instant(nanoseconds: 0)
  /// How long it has stood still, in all.
  private(set) var stalledNanoseconds: UInt64 = 0

  init(world: World, index: Int) {
    self.world = world
    self.index = index
    results = ResultStore(
      bytesLimit: world.scenario.keepBytes / world.scenario.loops, keepNanoseconds: world.scenario.keepNanoseconds)
  }

  func nextTicket() -> Ticket {
    callsBegun += 1
    return Ticket(loop: Int32(index), call: callsBegun)
  }

  func nextSerial() -> UInt64 {
    sessionsOpened += 1
    return sessionsOpened
  }

  func began(_ call: SimulatedCall) { calls.append(call) }
  func ended(_ call: SimulatedCall) { calls.removeAll { $0 === call } }
  func beganToWait(_ call: SimulatedCall) { waiting[call.ticket.call] = call }
  func ceasedToWait(_ call: SimulatedCall) { waiting[call.ticket.call] = nil }
  var waitingCount: Int { waiting.count }
  var mailCount: Int { mailbox.count }

  func stall(until instant: Instant) {
    let from = max(stalledUntil, world.now)
    stalledUntil = max(stalledUntil, instant)
    stalledNanoseconds += stalledUntil.nanoseconds(since: from)
  }

  func post(_ message: Message) {
    mailbox.append(message)
    world.schedule(after: world.chance.below(2_000_000), .mail(loop: index))
  }

  func takeMail() {
    guard !mailbox.isEmpty else { return }
    switch mailbox.removeFirst() {
    case .grant(let grant):
      let permit = world.core.permit(of: grant)
      guard let call = waiting[grant.ticket.call] else {
        return world.giveBack(permit, .neutral, provider: world.core.provider(of: grant.lease) ?? 0)
      }
      world.ledger.hold(call.ticket == grant.ticket, "a grant reached another's call")
      call.granted(permit)
    case .eviction(let eviction):
      guard let call = waiting[eviction.ticket.call] else { return }
      call.stoppedWaiting()
      call.perform(call.machine.unavailable(.breakerOpen(retryAfterNanoseconds: eviction.retryAfterNanoseconds)))
    case .overdue(let overdue):
      calls.first { $0.ticket == overdue.lease.ticket }?.endOverdue()
      guard let effects = world.core.recover(overdue.id, now: world.now) else { return }
      world.recovered(overdue.id, effects)
    }
  }
}
