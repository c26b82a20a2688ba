public import JSON

/// A tool that a provider contributes: clients see it beside the host's own (`prv.tools/1`).
public struct ToolDescription: Sendable {
  /// The provider's id with `_` for `-`, then `_` and lower-case letters, digits and `_`: `kimi_manage_files`.
  public var name: String
  /// For whoever chooses among tools, a model perhaps.
  public var description: String
  /// JSON Schema of the arguments, an object. The host checks them against it (provider_abi.h says by which keywords).
  public var inputSchema: String
  /// Whether twice does no more than once, so that the host may try it again after a failure.
  public var isRepeatable: Bool
  /// The argument that holds files; nil: none does.
  public var files: FileArgument?

  public init(
    name: String, description: String, inputSchema: String, isRepeatable: Bool = false, files: FileArgument? = nil
  ) {
    self.name = name
    self.description = description
    self.inputSchema = inputSchema
    self.isRepeatable = isRepeatable
    self.files = files
  }
}

/// An argument of a tool through which files come (`prv.files/1`).
public struct FileArgument: Sendable {
  public var name: String
  /// 1 to 64; 1: the argument is one file, not an array of them.
  public var maxCount: Int
  /// Of one file's content; 0: what the host takes.
  public var maxBytes: Int

  public init(_ name: String, maxCount: Int, maxBytes: Int = 0) {
    self.name = name
    self.maxCount = maxCount
    self.maxBytes = maxBytes
  }
}

/// A call of a tool. Arguments and files were checked by the host against the tool's description.
public struct ToolRequest: Sendable {
  let call: Call

  /// nil: the body is no prv.tool-call/1.
  init?(call: Call) {
    guard let body = call.body, body["name"]?.kind == .string, body["arguments"]?.kind == .object else { return nil }
    self.call = call
  }

  private var body: JSONView { call.body.unsafelyUnwrapped }

  /// The call's clock, network and log.
  public var context: CallContext { CallContext(call: call) }

  public var name: String { body["name"]?.string() ?? "" }

  /// An object. Valid while the call runs.
  public var arguments: JSONView { body["arguments"] ?? body }

  public func text(_ argument: StaticString) -> String? { arguments[argument]?.string() }
  public func integer(_ argument: StaticString) -> Int64? { arguments[argument]?.int() }

  /// What the client sent in the argument for files, in its order.
  public var files: [SentFile] { call.files }

  /// Whether the client wants pieces as they come; without it the host joins them.
  public var wantsStream: Bool { call.wantsStream }
}

/// A file that a client sent with a call.
public struct SentFile: Sendable, Equatable {
  /// Without a folder: `notes.pdf`.
  public var name: String
  /// As the client says: `application/pdf`; empty when it does not.
  public var mediaType: String
  public var content: [UInt8]

  public init(name: String, mediaType: String = "", content: [UInt8]) {
    self.name = name
    self.mediaType = mediaType
    self.content = content
  }
}
