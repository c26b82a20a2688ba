/// What a scripted upstream answers to one request: a head, then steps.
///
/// A value: faults are made by changing it (`split`, `cut`, `reset`, `stalled`, `garbled`).
public struct UpstreamAnswer: Sendable, Equatable {
  public enum Step: Sendable, Equatable {
    case bytes([UInt8])
    /// Nothing comes for this long, by the mock clock.
    case wait(nanoseconds: UInt64)
    /// Nothing comes any more; the exchange stays open until somebody aborts it.
    case stall
    /// The connection breaks.
    case reset
  }

  public var status: UInt32
  public var headers: [(name: String, value: String)]
  /// After the last one the answer is complete, unless that is a `stall` or `reset`.
  public var steps: [Step]

  public init(status: UInt32 = 200, headers: [(name: String, value: String)] = [], steps: [Step]) {
    self.status = status
    self.headers = headers
    self.steps = steps
  }

  /// A whole body.
  public init(status: UInt32 = 200, type: String = "application/json", body: String) {
    self.init(status: status, headers: [("Content-Type", type)], steps: [.bytes(Array(body.utf8))])
  }

  /// A stream of events, one piece each, ended by `[DONE]` unless `isCut`.
  public init(events: [String], isCut: Bool = false) {
    let pieces = events + (isCut ? [] : ["[DONE]"])
    self.init(
      headers: [("Content-Type", "text/event-stream")], steps: pieces.map { .bytes(Array("data: \($0)\n\n".utf8)) })
  }

  public static func == (one: Self, other: Self) -> Bool {
    one.status == other.status && one.steps == other.steps
      && one.headers.elementsEqual(other.headers) { $0.name == $1.name && $0.value == $1.value }
  }

  /// All bytes of the body.
  public var body: [UInt8] {
    steps.flatMap { step -> [UInt8] in
      if case .bytes(let bytes) = step { bytes } else { [] }
    }
  }

  // MARK: - Faults

  private func with(_ steps: [Step]) -> UpstreamAnswer {
    var answer = self
    answer.steps = steps
    return answer
  }

  /// The body in pieces of `bytes` (at least 1), wherever that cuts.
  public func split(every bytes: Int) -> UpstreamAnswer {
    let all = body
    return with(
      stride(from: 0, to: all.count, by: bytes).map { .bytes(Array(all[$0..<min($0 + bytes, all.count)])) })
  }

  /// The body in two pieces, the first of `offset` bytes.
  public func split(at offset: Int) -> UpstreamAnswer {
    let all = body
    return with([.bytes(Array(all.prefix(offset))), .bytes(Array(all.dropFirst(offset)))])
  }

  /// The connection ends well, but after `offset` bytes of the body: the end marker never comes.
  public func cut(at offset: Int) -> UpstreamAnswer { with([.bytes(Array(body.prefix(offset)))]) }

  /// The connection breaks after `offset` bytes of the body.
  public func reset(at offset: Int) -> UpstreamAnswer { with([.bytes(Array(body.prefix(offset))), .reset]) }

  /// Nothing comes any more after `offset` bytes of the body.
  public func stalled(at offset: Int) -> UpstreamAnswer { with([.bytes(Array(body.prefix(offset))), .stall]) }

  /// The first `steps` steps with a wait before each.
  public func slowed(nanoseconds: UInt64) -> UpstreamAnswer {
    with(steps.flatMap { [.wait(nanoseconds: nanoseconds), $0] })
  }

  /// Some bytes of the body are others, or gone, or doubled, as `generator` draws.
  public func garbled(_ generator: inout SeededGenerator) -> UpstreamAnswer {
    var all = body
    guard !all.isEmpty else { return self }
    for _ in 0...generator.below(8) {
      let place = generator.below(all.count)
      switch generator.below(4) {
      case 0: all[place] = UInt8(generator.below(256))
      case 1 where all.count > 1: all.remove(at: place)
      case 2: all.insert(all[place], at: place)
      default: all.insert(contentsOf: "\n\n".utf8, at: place)
      }
    }
    return with([.bytes(all)]).split(every: 1 + generator.below(64))
  }

  /// Not even a head comes.
  public static let silent = UpstreamAnswer(status: 0, steps: [])

  /// A stream in which nothing but comments comes.
  public static func heartbeats(_ count: Int) -> UpstreamAnswer {
    UpstreamAnswer(
      headers: [("Content-Type", "text/event-stream")],
      steps: Array(repeating: .bytes(Array(": keep-alive\n\n".utf8)), count: count) + [.stall])
  }
}
