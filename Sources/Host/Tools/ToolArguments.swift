import Bytes
import JSON

/// The arguments of a plugin's tool, checked before anything runs. What is borrowed points into the frame.
struct ToolArguments {
  let files: [ProviderFile]
  let wantsStream: Bool
  /// Nanoseconds; nil: the configured total.
  let timeoutNanoseconds: UInt64?
  private let tool: ProviderTool
  private let arguments: JSONView
  /// The argument for files as it came.
  private let filesJSON: JSONView?

  /// - Parameters:
  ///   - arguments: an object; nil: the call has none.
  ///   - fileBytes: `limits.file_bytes`.
  init(_ arguments: JSONView?, of tool: ProviderTool, fileBytes: Int) throws(CallError) {
    let arguments = arguments ?? Self.noArguments
    var (given, files, filesJSON): ([String], [ProviderFile], JSONView?) = ([], [], nil)
    var (wantsStream, timeout) = (false, UInt64?.none)
    for (key, value) in arguments.members() {
      if Self.isHosts(key) {
        if value.isNull { continue }
        if key.equals("stream") { wantsStream = try ChatArguments.flag(value, "stream") }
        if key.equals("timeout") { timeout = try ChatArguments.timeout(value) }
        continue
      }
      given.append(key.string() ?? "")
      if let offer = tool.offer.files, key.equals(offer.argument) {
        guard filesJSON == nil else { throw .invalid(offer.argument, "is given twice", found: "twice") }
        files = try FileArgument.read(value, offer, hostBytes: fileBytes)
        filesJSON = value
      } else {
        try tool.schema.checkMember(key, value, "")
      }
    }
    try tool.schema.checkRequired(given, "")
    (self.files, self.filesJSON, self.wantsStream, timeoutNanoseconds) = (files, filesJSON, wantsStream, timeout)
    (self.tool, self.arguments) = (tool, arguments)
  }

  private static var noArguments: JSONView {
    let text: StaticString = "{}"
    return JSONView(validated: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private static func isHosts(_ key: JSONView) -> Bool { key.equals("stream") || key.equals("timeout") }

  /// Writes prv.tool-call/1: without the host's own arguments, and without files, which go beside it.
  func writeBody(to body: inout ByteBuffer) {
    body.append("{\"name\":\"")
    body.append(tool.name)
    body.append("\",\"arguments\":{")
    var isFirst = true
    for (key, value) in arguments.members() {
      if Self.isHosts(key) || tool.offer.files.map({ key.equals($0.argument) }) ?? false { continue }
      if !isFirst { body.append(",") }
      isFirst = false
      body.append(key.bytes)
      body.append(":")
      body.append(value.bytes)
    }
    body.append("}}")
  }

  /// Appends what else makes two calls differ: the files, as they came.
  func writeFiles(to buffer: inout ByteBuffer) {
    if let filesJSON { buffer.append(filesJSON.bytes) }
  }
}
