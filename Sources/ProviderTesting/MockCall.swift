public import CProviderABI

/// One call and everything the plugin said about it.
public final class MockCall {
  public let handle: prv_call
  public internal(set) var events: [MockEvent] = []
  /// Of an honest plugin at most one.
  public internal(set) var dones: [MockDone] = []
  public internal(set) var isClosed = false
  public internal(set) var isCancelled = false
  /// What the next events are answered with; PRV_OK when empty.
  public var answers: [Int32] = []
  var context: UnsafeMutableRawPointer?
  /// Asks for `call_close`.
  var onDone: (() -> Void)?

  init(handle: prv_call) { self.handle = handle }

  /// The texts of the answer, joined.
  public var text: String { events.filter { $0.kind == PRV_EVENT_TEXT }.map(\.text).joined() }

  /// The finish reason; nil while there is none.
  public var finishReason: String? { events.last { $0.kind == PRV_EVENT_FINISH }?.name }
}

/// One event, copied.
public struct MockEvent: Equatable, CustomStringConvertible {
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

  init(_ event: prv_event) {
    self.init(
      kind: event.kind, index: event.index, text: event.text.string, id: event.id.string, name: event.name.string)
    if let usage = event.usage?.pointee {
      self.usage = [
        usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.reasoning_tokens,
      ]
    }
  }

  public var description: String { "\(kind)[\(index)] text=\(text) id=\(id) name=\(name) usage=\(usage)" }
}

/// How a call ended, copied.
public struct MockDone: Equatable {
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
