public import CProviderABI
import ProviderContract

/// One call and everything the plugin said about it.
public final class MockCall {
  public let handle: prv_call
  public internal(set) var events: [MockEvent] = []
  /// Of an honest plugin at most one.
  public internal(set) var dones: [MockDone] = []
  public internal(set) var isCancelled = false
  /// Whether the last event was answered with PRV_PAUSE, and nobody has resumed the call since: what its upstream sends
  /// stays there.
  public internal(set) var isPaused = false
  /// Events that came in spite of PRV_PAUSE.
  public internal(set) var eventsWhilePaused = 0
  /// Events that came after call_cancel, and were answered with PRV_CANCELLED.
  public internal(set) var eventsAfterCancel = 0
  /// Events of kinds that this host does not know.
  public internal(set) var unknownEvents = 0
  /// When call_cancel was called, and `done`, by the mock clock.
  public internal(set) var cancelNanoseconds: UInt64?
  public internal(set) var doneNanoseconds: UInt64?
  /// What the next events are answered with; PRV_OK when empty.
  public var answers: [Int32] = []
  /// Answers PRV_PAUSE to every event whose number (from 1) is a multiple of this; 0: to none.
  public var pausesEvery = 0
  /// Hears of each event, within `emit`, on whatever thread.
  public var onEvent: ((MockEvent) -> Void)?
  var stage = CallStage.opening
  /// `done` was called before call_open returned.
  var isDoneInOpening = false
  /// Held while the call is open: a call holds its instance.
  var owner: MockInstance?
  var graceAlarm: UInt64?
  var deadlineAlarm: UInt64?
  var context: UnsafeMutableRawPointer?
  /// Asks for `call_close`.
  var onDone: (() -> Void)?

  init(handle: prv_call) { self.handle = handle }

  public var isClosed: Bool { stage == .closed }

  /// The texts of the answer, joined.
  public var text: String { events.filter { $0.kind == PRV_EVENT_TEXT }.map(\.text).joined() }

  /// The texts of the reasoning, joined.
  public var reasoning: String { events.filter { $0.kind == PRV_EVENT_REASONING }.map(\.text).joined() }

  /// The finish reason; nil while there is none.
  public var finishReason: String? { events.last { $0.kind == PRV_EVENT_FINISH }?.name }

  /// How the call ended; nil while it has not.
  public var status: Int32? { dones.first?.status }

  func take(_ event: MockEvent) -> Int32 {
    if isPaused { eventsWhilePaused += 1 }
    events.append(event)
    onEvent?(event)
    var answer = answers.isEmpty ? PRV_OK : answers.removeFirst()
    if pausesEvery > 0, events.count % pausesEvery == 0 { answer = PRV_PAUSE }
    if answer == PRV_PAUSE { isPaused = true }
    return answer
  }
}

/// One event, copied.
public struct MockEvent: Equatable, Sendable, CustomStringConvertible {
  public var kind: UInt32
  public var index: UInt32 = 0
  public var text = ""
  public var id = ""
  public var name = ""
  /// Input, output, cached input, reasoning.
  public var usage: [UInt64] = []

  public init(kind: UInt32, index: UInt32 = 0, text: String = "", id: String = "", name: String = "") {
    self.kind = kind
    self.index = index
    self.text = text
    self.id = id
    self.name = name
  }

  init(_ event: ProviderEvent) {
    self.init(
      kind: event.kind.rawValue, index: event.index, text: String(decoding: event.text, as: UTF8.self),
      id: String(decoding: event.id, as: UTF8.self), name: String(decoding: event.name, as: UTF8.self))
    if let usage = event.usage {
      self.usage = [usage.inputTokens, usage.outputTokens, usage.cachedInputTokens, usage.reasoningTokens]
    }
  }

  public var description: String { "\(kind)[\(index)] text=\(text) id=\(id) name=\(name) usage=\(usage)" }
}

/// How a call ended, copied.
public struct MockDone: Equatable, Sendable {
  public var status: Int32
  public var httpStatus: UInt32
  public var retryable: UInt32
  public var retryAfterNanoseconds: UInt64
  public var providerCode: String
  public var message: String
  public var requestID: String

  init(_ done: prv_done) {
    status = done.status
    httpStatus = done.http_status
    retryable = done.retryable
    retryAfterNanoseconds = done.retry_after_ns
    providerCode = done.provider_code.string
    message = done.message.string
    requestID = done.upstream_request_id.string
  }
}
