import Bytes

/// One event of the feed, laid out as `text/event-stream` has it (WHATWG HTML §9.2).
struct FeedEvent: Sendable {
  /// For who knows what was before.
  let text: [UInt8]
  /// Whether it says other things than the frame before.
  let isNew: Bool
  /// Lays it out for who begins; nil: the same.
  private let makeWhole: (@Sendable () -> [UInt8])?

  init(text: [UInt8], isNew: Bool = true, whole: (@Sendable () -> [UInt8])? = nil) {
    self.text = text
    self.isNew = isNew
    makeWhole = whole
  }

  /// For who begins.
  var whole: [UInt8] { makeWhole?() ?? text }

  /// - Parameter write: the JSON; it has no line breaks, since JSON text escapes them.
  static func text(_ name: StaticString, _ write: (inout ByteBuffer) -> Void) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.append("event: ")
    buffer.append(name)
    buffer.append("\ndata: ")
    write(&buffer)
    buffer.append("\n\n")
    return buffer.copy()
  }
}

/// What one look at the host makes for all who watch. Immutable.
final class FeedFrame: Sendable {
  /// For who has taken every frame before this.
  let changes: [UInt8]
  private let events: [FeedEvent]

  init(_ events: [FeedEvent]) {
    self.events = events
    changes = Array(events.lazy.filter(\.isNew).map(\.text).joined())
  }

  /// For who begins, or has missed a frame.
  var whole: [UInt8] { Array(events.lazy.map(\.whole).joined()) }
}
