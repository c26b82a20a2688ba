import JSON

/// What a plain HTTP request is answered with; the connection closes after it.
struct HTTPReply {
  var status: Int
  var contentType = "application/json"
  var body: String
  var headers: [(String, String)] = []

  /// An error, as every path answers it.
  static func error(_ status: Int, _ message: String, headers: [(String, String)] = []) -> HTTPReply {
    let error = JSONValue.object([.init("status", .integer(Int64(status))), .init("message", .string(message))])
    return HTTPReply(status: status, body: JSONValue.object([.init("error", error)]).text + "\n", headers: headers)
  }
}
