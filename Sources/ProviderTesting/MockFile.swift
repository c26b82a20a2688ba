import CProviderABI

/// A file that comes with a call (`prv.files/1`).
public struct MockFile {
  public var name: String
  public var mediaType: String
  public var content: [UInt8]

  public init(_ name: String, mediaType: String = "", content: [UInt8]) {
    self.name = name
    self.mediaType = mediaType
    self.content = content
  }

  /// Lends `files` as the plugin will see them (`Loan`); null when there is none.
  static func lend<Result>(_ files: [MockFile], _ body: (UnsafePointer<prv_file>?) -> Result) -> Result {
    var raw: [prv_file] = []
    func add(_ rest: ArraySlice<MockFile>) -> Result {
      guard let file = rest.first else { return files.isEmpty ? body(nil) : Loan.lend(array: raw, body) }
      return ProviderTesting.lend(file.name) { name in
        ProviderTesting.lend(file.mediaType) { mediaType in
          Loan.lend(file.content) { content in
            var entry = prv_file()
            entry.size = UInt32(MemoryLayout<prv_file>.size)
            entry.name = name
            entry.media_type = mediaType
            entry.content = prv_bytes(
              ptr: content.baseAddress?.assumingMemoryBound(to: UInt8.self), len: UInt64(content.count))
            raw.append(entry)
            return add(rest.dropFirst())
          }
        }
      }
    }
    return add(files[...])
  }
}

extension MockInstance {
  /// Opens a call of the tool `name`; `arguments` is a JSON object.
  public func callTool(_ name: String, _ arguments: String = "{}", files: [MockFile] = [], streams: Bool = false)
    throws(MockFailure) -> MockCall
  {
    try open(
      PRV_CALL_TOOL, body: "{\"name\":\"\(name)\",\"arguments\":\(arguments)}", streams: streams,
      schema: "prv.tool-call/1", files: files)
  }
}
