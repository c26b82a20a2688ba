public import Bytes

/// What the bytes of a connection say, one request after the other.
public enum HTTPRequestEvent {
  /// A request begins. Then `takeBody` or `dropBody`, before the next event is asked for.
  case head(HTTPRequestHead)
  /// A piece of its body; borrowed until the next call.
  case body(UnsafeRawBufferPointer)
  /// The body is whole.
  case end
}

/// The requests of one connection in their order (RFC 9112 §9.3.2): a head, its body, and not a byte of the next one
/// before this one was answered.
///
/// | state    | bytes                    | leaves by                                          |
/// |----------|--------------------------|----------------------------------------------------|
/// | head     | a head                   | a whole head: undecided                            |
/// | undecided| wait                     | `takeBody`: body; `dropBody`: dropped              |
/// | body     | to the caller            | its end: whole, or head if it was answered already |
/// | dropped  | forgotten, up to a bound | the same                                           |
/// | whole    | wait                     | `answered`: head                                   |
///
/// After an error nothing more can be read: where the next request would begin is not known.
public struct HTTPRequestStream: ~Copyable {
  /// Bytes of a body that nobody wants and that are read to keep the connection.
  public static let droppedBytesLimit = 65_536

  private enum State { case head, undecided, body, dropped, whole }

  private let limits: HTTPLimits
  private var parser: HTTPRequestParser
  private var decoder: HTTPBodyDecoder
  private var state = State.head
  private var length = HTTPBodyLength.none
  private var isAnswered = false
  private var droppedBytes = 0

  public init(limits: HTTPLimits = HTTPLimits()) {
    self.limits = limits
    parser = HTTPRequestParser(limits: limits)
    decoder = HTTPBodyDecoder()
  }

  /// Whether the next byte belongs to a new request.
  public var isBetweenRequests: Bool { state == .head }
  /// Whether bytes of the body may still come, wanted or not.
  public var isInBody: Bool { state == .body || state == .dropped }

  /// The next event of `input`; nil: more bytes are needed, or it is the caller's turn.
  public mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> HTTPRequestEvent? {
    while true {
      switch state {
      case .head:
        guard let head = try parser.next(&input) else { return nil }
        (state, length, isAnswered, droppedBytes) = (.undecided, head.bodyLength, false, 0)
        return .head(head)
      case .undecided, .whole: return nil
      case .body:
        switch try decoder.next(&input) {
        case nil: return nil
        case .bytes(let piece): return .body(piece)
        case .end:
          state = isAnswered ? .head : .whole
          return .end
        }
      case .dropped:
        switch try decoder.next(&input) {
        case nil: return nil
        case .bytes(let piece):
          droppedBytes += piece.count
          guard droppedBytes <= Self.droppedBytesLimit else { throw Self.tooMuchDropped }
        case .end: state = isAnswered ? .head : .whole
        }
      }
    }
  }

  private static var tooMuchDropped: HTTPError {
    HTTPError(status: 413, reason: "more than \(droppedBytesLimit) bytes of a body that nobody reads")
  }

  /// The body's pieces are wanted, up to `bytes` of them. Throws 413 if it is known to be longer.
  public mutating func takeBody(upTo bytes: Int) throws(HTTPError) {
    precondition(state == .undecided, "a body is taken in \(state)")
    decoder = try HTTPBodyDecoder(length, bodyBytesLimit: bytes, limits: limits)
    state = .body
  }

  /// Nobody wants the body, or the rest of it. false: it is too long to be read for nothing, so the connection cannot
  /// go on after the answer.
  public mutating func dropBody() -> Bool {
    switch state {
    case .undecided where length == .none: state = .whole
    case .undecided:
      guard let whole = try? HTTPBodyDecoder(length, bodyBytesLimit: .max, limits: limits) else { return false }
      decoder = whole
      state = .dropped
    case .body: state = .dropped
    case .head, .dropped, .whole: break
    }
    return decoder.announcedBytesLeft <= UInt64(Self.droppedBytesLimit)
  }

  /// The request was answered: the next one may begin when its body has ended.
  public mutating func answered() {
    precondition(state != .head && state != .undecided, "an answer in \(state)")
    if state == .whole { state = .head } else { isAnswered = true }
  }
}
