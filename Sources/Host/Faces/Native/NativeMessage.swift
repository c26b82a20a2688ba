import Bytes
import JSON
import Wire

/// A message of the native protocol, taken apart but not yet believed.
///
/// Borrows the frame; valid while it is handled.
struct NativeMessage {
  private(set) var op: JSONView?
  private(set) var requestID: JSONView?
  private(set) var name: JSONView?
  private(set) var arguments: JSONView?
  private(set) var token: JSONView?
  private(set) var clientName: JSONView?
  private(set) var old: JSONView?
  private(set) var new: JSONView?
  private(set) var traceParent: JSONView?
  private(set) var traceState: JSONView?

  /// The characters a request id may have.
  static let requestIDCharactersLimit = 200

  /// One walk over the message; unknown members are left alone.
  init(_ message: JSONView) {
    for (key, value) in message.members() {
      if key.equals("op") {
        op = value
      } else if key.equals("request_id") {
        requestID = value
      } else if key.equals("name") {
        name = value
      } else if key.equals("arguments") {
        arguments = value
      } else if key.equals("token") {
        token = value
      } else if key.equals("client_name") {
        clientName = value
      } else if key.equals("old") {
        old = value
      } else if key.equals("new") {
        new = value
      } else if key.equals("traceparent") {
        traceParent = value
      } else if key.equals("tracestate") {
        traceState = value
      }
    }
  }

  /// The id as it stands, to be written back: also when it is not a string, so that the client finds its mistake.
  var echoedID: UnsafeRawBufferPointer? {
    guard let requestID, !requestID.isNull, requestID.kind != .object, requestID.kind != .array,
      requestID.bytes.count <= 6 * Self.requestIDCharactersLimit + 2
    else { return nil }
    return requestID.bytes
  }

  /// Where the call stands in a trace: what the message says, else what its connection's upgrade did, one step on. nil:
  /// in none. A `traceparent` that is none begins a trace, as W3C Trace Context wants it.
  func trace(ofConnection: TraceContext?, random: () -> UInt64) throws(CallError) -> TraceContext? {
    for (name, field) in [("traceparent", traceParent), ("tracestate", traceState)] {
      guard let field, !field.isNull, field.kind != .string else { continue }
      throw CallError(
        .validationError, "\(name) must be a string, got \(field.kind)", [("field", .string(name))])
    }
    guard let parent = traceParent, !parent.isNull else { return ofConnection?.child(random) }
    let state = traceState.flatMap { $0.isNull ? nil : $0.string() } ?? ""
    guard let given = TraceContext(parent: parent.string() ?? "", state: state) else {
      return TraceContext(beginning: random)
    }
    return given.child(random)
  }

  func checkRequestID() throws(CallError) {
    guard let requestID, !requestID.isNull else { return }
    guard requestID.kind == .string, let count = requestID.characterCount else {
      throw .invalidMessage("request_id must be a string")
    }
    guard (1...Self.requestIDCharactersLimit).contains(count) else {
      throw .invalidMessage("request_id must have 1 to \(Self.requestIDCharactersLimit) characters, got \(count)")
    }
  }
}
