import Decisions

/// What passes with one peer of the control socket, as a plain value: bytes and times in, what to do out.
///
/// One line asks, `ok` or `error` and lines for a person answer, and that is all. A second is for the line, and another
/// for the peer to take the answer.
struct ControlExchange {
  enum Action: Equatable {
    /// Wait for more, until `deadline`.
    case wait
    case perform(ControlSocket.Command)
    /// Say so and end.
    case refuse(String)
    case end
  }

  static let patienceMilliseconds: UInt64 = 1_000
  static let lineBytes = 256

  private var line: [UInt8] = []
  private var isAsked = false
  private(set) var deadline: Instant

  init(now: Instant) { deadline = now.advanced(milliseconds: Self.patienceMilliseconds) }

  /// How much more of the line may come; 0: nothing is read any more.
  var room: Int { isAsked ? 0 : Self.lineBytes + 1 - line.count }

  /// Bytes came, at most `room`; what is behind the line's end is dropped.
  mutating func received(_ bytes: some Sequence<UInt8>) -> Action {
    guard !isAsked else { return .wait }
    for byte in bytes {
      if byte == 0x0A { return asked() }
      line.append(byte)
      guard line.count <= Self.lineBytes else {
        isAsked = true
        return .refuse("a command has at most \(Self.lineBytes) bytes")
      }
    }
    return .wait
  }

  /// The peer sends no more.
  mutating func ended() -> Action { isAsked ? .wait : .end }

  private mutating func asked() -> Action {
    isAsked = true
    let text = String(decoding: line, as: UTF8.self)
    do throws(ControlSocket.Command.Unknown) {
      return .perform(try ControlSocket.Command(text))
    } catch {
      return .refuse(error.reason)
    }
  }

  /// The answer is being sent, from `now` on.
  mutating func answering(now: Instant) {
    isAsked = true
    deadline = now.advanced(milliseconds: Self.patienceMilliseconds)
  }

  mutating func due(now: Instant) -> Action {
    guard deadline <= now else { return .wait }
    if isAsked { return .end }
    isAsked = true
    return .refuse("no command came within a second")
  }

  static func answer(_ isApplied: Bool, _ lines: [String]) -> [UInt8] {
    Array((([isApplied ? "ok" : "error"] + lines).joined(separator: "\n") + "\n").utf8)
  }
}
