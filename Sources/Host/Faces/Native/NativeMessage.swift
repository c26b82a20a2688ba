import Bytes
import JSON

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
