/// The calls of one session that run or wait, by request id, and who waits for each.
///
/// A request id is the session's own. The same id with the same arguments joins the call that runs; each that joined
/// gets an answer of its own. Who cancels leaves alone; the last to leave ends the call. Plain data of one loop.
public struct SessionCalls<Call> {
  public struct Entry {
    public var id: [UInt8]
    public var fingerprint: Fingerprint?
    public var call: Call
    /// Requests that wait for its end; at least 1.
    public var waiters = 1

    @usableFromInline
    init(id: [UInt8], fingerprint: Fingerprint?, call: Call) {
      self.id = id
      self.fingerprint = fingerprint
      self.call = call
    }
  }

  public enum Arrival {
    case new
    /// The same request runs: it is joined.
    case joins(Call)
    /// The id is taken by other arguments.
    case conflicts
    /// The same arguments run under another id.
    case duplicate(of: Call)
  }

  public enum Departure {
    case unknown
    /// Others still wait for the call.
    case left(Call)
    case last(Call)
  }

  // Public and inlinable, so that the host has it specialized: each call would look generic types up otherwise.
  @usableFromInline var list: [Entry] = []

  @inlinable public init() {}

  @inlinable public var entries: [Entry] { list }
  @inlinable public var isEmpty: Bool { list.isEmpty }

  /// Decides about a request before it becomes a call.
  ///
  /// - Parameters:
  ///   - fingerprint: of its arguments; nil: it has no id that could be repeated.
  ///   - refusesDuplicates: whether it asked to be told when the same arguments run under another id.
  @inlinable
  public mutating func arrive(_ id: [UInt8], _ fingerprint: Fingerprint?, refusesDuplicates: Bool) -> Arrival {
    if let index = list.firstIndex(where: { $0.id == id }) {
      guard list[index].fingerprint == fingerprint, fingerprint != nil else { return .conflicts }
      list[index].waiters += 1
      return .joins(list[index].call)
    }
    if refusesDuplicates, let fingerprint, let twin = list.first(where: { $0.fingerprint == fingerprint }) {
      return .duplicate(of: twin.call)
    }
    return .new
  }

  @inlinable
  public mutating func begin(_ id: [UInt8], _ fingerprint: Fingerprint?, _ call: Call) {
    list.append(Entry(id: id, fingerprint: fingerprint, call: call))
  }

  /// One who waits for `id` cancels.
  @inlinable
  public mutating func leave(_ id: [UInt8]) -> Departure {
    guard let index = list.firstIndex(where: { $0.id == id }) else { return .unknown }
    guard list[index].waiters > 1 else { return .last(list[index].call) }
    list[index].waiters -= 1
    return .left(list[index].call)
  }

  /// The call has ended: its entry goes. nil: it is not here.
  @inlinable
  public mutating func end(where isIt: (Call) -> Bool) -> Entry? {
    guard let index = list.firstIndex(where: { isIt($0.call) }) else { return nil }
    return list.remove(at: index)
  }
}
