import Decisions

/// A client of the simulated host: connects, asks, repeats itself, cancels, reads slowly, leaves without a word.
final class SimulatedClient {
  private unowned let world: World
  let index: Int
  private(set) var session: SimulatedSession?
  private let address: Census.Address
  private var requests: UInt64 = 0

  init(world: World, index: Int) {
    self.world = world
    self.index = index
    address = Census.Address(high: 0, low: UInt64(index % World.addresses))
  }

  private var principal: Int { index % World.principals }

  func act() {
    guard let session else { return connect() }
    switch world.chance.below(100) {
    case 0: leave()
    case 1..<8: if !session.ids.isEmpty { session.cancel(world.chance.pick(session.ids)) }
    default: ask(session)
    }
  }

  private func connect() {
    guard !world.isDraining else { return }
    let loop = world.chance.pick(world.loops)
    guard world.connectionOpened(from: address) else { return }
    guard let number = world.openSession(principal: principal) else { return world.connectionClosed(from: address) }
    session = SimulatedSession(world: world, loop: loop, number: number, principal: principal)
  }

  private func ask(_ session: SimulatedSession) {
    session.heard()
    for _ in 0..<(world.chance.once(in: 6) ? world.chance.between(2, 8) : 1) {
      guard world.takeMessage(principal: principal, address: address) else { return }
      requests += 1
      let isRepeated = !session.ids.isEmpty && world.chance.once(in: 10)
      let id = isRepeated ? world.chance.pick(session.ids) : Array("\(requests)".utf8)
      let isShortened = world.chance.once(in: 10)
      session.request(
        id, arguments: isRepeated ? world.chance.below(3) : requests % 3,
        total: isShortened ? world.chance.milliseconds(100, 4_000) : world.scenario.clocks.total,
        refusesDuplicates: world.chance.once(in: 20))
    }
  }

  /// Gone, whatever was under way.
  func leave() {
    guard let session else { return }
    self.session = nil
    session.close()
    world.connectionClosed(from: address)
  }
}
