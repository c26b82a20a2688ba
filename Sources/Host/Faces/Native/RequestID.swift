import JSON

/// A call's id: as its client wrote it, and as it is compared.
struct RequestID {
  /// The JSON string with its quotes, to be written back as it came.
  let text: [UInt8]
  /// The same without escapes: two spellings of one id are one id.
  let key: [UInt8]
  /// Whether the client named it. One that was made here cannot be repeated.
  let isGiven: Bool

  init(_ given: JSONView?) {
    guard let given, !given.isNull else {
      text = [0x22] + SessionID.make().prefix(22) + [0x22]
      key = text
      isGiven = false
      return
    }
    text = [UInt8](given.bytes)
    key = given.plainString == nil ? [0x22] + Array((given.string() ?? "").utf8) + [0x22] : text
    isGiven = true
  }

  /// For a sentence.
  var shown: String { CallError.shortened(String(decoding: text, as: UTF8.self)) }

  /// What stands between the quotes, unescaped.
  static func content(of text: [UInt8]) -> String {
    text.withUnsafeBytes { bytes in (try? JSONView(parsing: bytes))?.string() ?? "" }
  }
}
