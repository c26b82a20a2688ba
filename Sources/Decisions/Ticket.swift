/// A call, by its loop and its number there; whoever is told something about it finds it so.
package struct Ticket: Hashable, Sendable {
  package var loop: Int32
  package var call: UInt64

  package init(loop: Int32, call: UInt64) {
    self.loop = loop
    self.call = call
  }
}
