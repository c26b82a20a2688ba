// What the loop's connections hold, and what is done when all loops' together hold too much.
extension HostLoop {
  /// A connection holds another number of bytes than before. Thread: the loop's.
  func heldBytesChanged(of connection: Connection, from before: Int) {
    let now = connection.heldBytes
    let memory = services.memory
    memory.add(now - before)
    let heaviest = memory.heaviest(ofLoop: eventLoop.index)
    if now > heaviest {
      memory.setHeaviest(now, ofLoop: eventLoop.index)
    } else if before == heaviest {
      memory.setHeaviest(connections.lazy.map(\.heldBytes).max() ?? 0, ofLoop: eventLoop.index)
    }
    if now > before, memory.isOver { relieveMemory() }
  }

  /// Closes those that hold the most until all hold no more than they may. Thread: the loop's.
  func relieveMemory() {
    let memory = services.memory
    memory.looks(loop: eventLoop.index)
    while memory.isOver {
      let loop = memory.loopOfHeaviest(own: eventLoop.index)
      guard loop == eventLoop.index else {
        if memory.asks(loop: loop) { askToRelieveMemory(loop: loop) }
        return
      }
      guard let heaviest = connections.max(by: { $0.heldBytes < $1.heldBytes }), heaviest.heldBytes > 0 else { return }
      heaviest.shed()
    }
  }
}
