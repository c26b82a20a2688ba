import Bytes
import JSON

/// What an HTTP request is answered with, whole.
struct HTTPReply {
  var status: Int
  var contentType = "application/json"
  var body = ""
  /// Writes a body that is too long to be a text first; nil: it is `body`.
  var writeBody: ((inout ByteBuffer) -> Void)?
  var headers: [(String, String)] = []
  /// The connection ends after it.
  var closes = false
  /// Why somebody was turned away who may be hostile; the log says it. nil: an ordinary answer.
  var refusal: String?

  /// An error, as every path answers it.
  static func error(_ status: Int, _ message: String, headers: [(String, String)] = []) -> HTTPReply {
    let error = JSONValue.object([.init("status", .integer(Int64(status))), .init("message", .string(message))])
    return HTTPReply(status: status, body: JSONValue.object([.init("error", error)]).text + "\n", headers: headers)
  }

  /// An error that the log tells too, and that ends the connection.
  static func refused(_ status: Int, _ message: String, headers: [(String, String)] = []) -> HTTPReply {
    var reply = error(status, message, headers: headers)
    reply.refusal = message
    reply.closes = true
    return reply
  }
}
