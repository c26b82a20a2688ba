/// The calls of one session that run or wait, by request id, and who waits for each.
///
/// A request id is the session's own. The same id with the same arguments joins the call that runs; each that joined
/// gets an answer of its own. Who cancels leaves alone; the last to leave ends the call. Plain data of one loop.
package struct SessionCalls<Call> {
  package struct Entry {
    package var id: [UInt8]
    package var fingerprint: Fingerprint?
    package var call: Call
    /// Requests that wait for its end; at least 1.
    package var waiters = 1
  }

  package enum Arrival {
    case new
    /// The same request runs: it is joined.
    case joins(Call)
    /// The id is taken by other arguments.
    case conflicts
    /// The same arguments run under another id.
    case duplicate(of: Call)
  }

  package enum Departure {
    case unknown
    /// Others still wait for the call.
    case left(Call)
    case last(Call)
  }

  package private(set) var entries: [Entry] = []

  package init() {}

  package var isEmpty: Bool { entries.isEmpty }

  /// Decides about a request before it becomes a call.
  ///
  /// - Parameters:
  ///   - fingerprint: of its arguments; nil: it has no id that could be repeated.
  ///   - refusesDuplicates: whether it asked to be told when the same arguments run under another id.
  package mutating func arrive(_ id: [UInt8], _ fingerprint: Fingerprint?, refusesDuplicates: Bool) -> Arrival {
    if let index = entries.firstIndex(where: { $0.id == id }) {
      guard entries[index].fingerprint == fingerprint, fingerprint != nil else { return .conflicts }
      entries[index].waiters += 1
      return .joins(entries[index].call)
    }
    if refusesDuplicates, let fingerprint, let twin = entries.first(where: { $0.fingerprint == fingerprint }) {
      return .duplicate(of: twin.call)
    }
    return .new
  }

  package mutating func begin(_ id: [UInt8], _ fingerprint: Fingerprint?, _ call: Call) {
    entries.append(Entry(id: id, fingerprint: fingerprint, call: call))
  }

  /// One who waits for `id` cancels.
  package mutating func leave(_ id: [UInt8]) -> Departure {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return .unknown }
    guard entries[index].waiters > 1 else { return .last(entries[index].call) }
    entries[index].waiters -= 1
    return .left(entries[index].call)
  }

  /// The call has ended: its entry goes. nil: it is not here.
  package mutating func end(where isIt: (Call) -> Bool) -> Entry? {
    guard let index = entries.firstIndex(where: { isIt($0.call) }) else { return nil }
    return entries.remove(at: index)
  }
}
