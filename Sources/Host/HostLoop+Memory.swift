// What the loop's connections hold, and what is done when all loops' together hold too much.
extension HostLoop {
  /// A connection holds another number of bytes than before. Thread: the loop's.
  func heldBytesChanged(of connection: Connection, from before: Int) {
    let now = connection.heldBytes
    let memory = services.memory
    memory.add(now - before)
    // What has become less is looked at when it matters: finding the next one means to look at all.
    if now >= Self.notedBytes, now > memory.heaviest(ofLoop: eventLoop.index) {
      memory.setHeaviest(now, ofLoop: eventLoop.index)
    }
    if now > before, memory.isOver { relieveMemory() }
  }

  /// Connections that hold less are all the same to other loops: which of them goes first is of no account.
  private static let notedBytes = 64 << 10

  /// Closes those that hold the most until all hold no more than they may. Thread: the loop's.
  func relieveMemory() {
    let memory = services.memory
    memory.looks(loop: eventLoop.index)
    while memory.isOver {
      let heaviest = connections.max { $0.heldBytes < $1.heldBytes }
      let most = heaviest?.heldBytes ?? 0
      memory.setHeaviest(most >= Self.notedBytes ? most : 0, ofLoop: eventLoop.index)
      let loop = memory.loopOfHeaviest(own: eventLoop.index)
      guard loop == eventLoop.index else {
        if memory.asks(loop: loop) { askToRelieveMemory(loop: loop) }
        return
      }
      guard let heaviest, most > 0 else { return }
      heaviest.shed()
    }
  }
}
