import Bytes
import JSON
import OpenAIWire
import ProviderAPI

/// What Kimi offers beside chats: files that it reads, and chats about them.
enum KimiTools {
  /// One after the other in one call.
  static let filesLimit = 6

  static let all = [upload, manage, chat]

  static let upload = ToolDescription(
    name: "kimi_upload_files",
    description:
      "Uploads files to Moonshot and answers with their ids, for kimi_chat_with_files and kimi_manage_files.",
    inputSchema: """
      {"type": "object", "additionalProperties": false, "required": ["files"], "properties": {
        "files": {"type": "array", "minItems": 1, "maxItems": \(filesLimit), "items": {"type": "object",
          "required": ["name"], "additionalProperties": false, "properties": {"name": {"type": "string"},
          "base64": {"type": "string"}, "text": {"type": "string"}, "media_type": {"type": "string"}}},
          "description": "Each with its content: as text, or as base64."},
        "purpose": {"type": "string", "enum": ["file-extract", "assistants"], "default": "file-extract"}}}
      """,
    files: FileArgument("files", maxCount: filesLimit))

  static let manage = ToolDescription(
    name: "kimi_manage_files",
    description: "Lists the files at Moonshot, shows what it has read in one, or deletes one.",
    inputSchema: """
      {"type": "object", "additionalProperties": false, "required": ["operation"], "properties": {
        "operation": {"type": "string", "enum": ["list", "content", "delete"]},
        "file_id": {"type": "string", "minLength": 1, "maxLength": 200, "description": "For content and delete."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100, "description": "For list."},
        "dry_run": {"type": "boolean", "default": false, "description": "Only say what delete would delete."}}}
      """)

  static let chat = ToolDescription(
    name: "kimi_chat_with_files",
    description: "Asks Kimi about files that were uploaded before.",
    inputSchema: """
      {"type": "object", "additionalProperties": false, "required": ["prompt", "file_ids"], "properties": {
        "prompt": {"type": "string", "minLength": 1, "maxLength": 100000},
        "file_ids": {"type": "array", "minItems": 1, "maxItems": \(filesLimit),
          "items": {"type": "string", "minLength": 1, "maxLength": 200}},
        "model": {"type": "string", "minLength": 1, "maxLength": 100},
        "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.3}}}
      """, isRepeatable: true)

  // MARK: - Calls

  /// Each file's line is sent as soon as it is there, so that a failure leaves the ids of those before it.
  static func upload(_ request: ToolRequest, _ files: OpenAIFiles, to stream: consuming ChatStream)
    async throws(ProviderError) -> ChatEnd
  {
    let purpose = request.text("purpose") ?? "file-extract"
    try await stream.text("{\"files\":[")
    for (index, file) in request.files.enumerated() {
      let answer = try await files.upload(file, purpose: purpose, request.context)
      try await stream.text((index > 0 ? "," : "") + entry(answer, named: file.name).text)
    }
    try await stream.text("]}")
    return stream.finish(.stop)
  }

  static func manage(_ request: ToolRequest, _ files: OpenAIFiles, to stream: consuming ChatStream)
    async throws(ProviderError) -> ChatEnd
  {
    switch request.text("operation") {
    case "list":
      let limit = Int(clamping: request.integer("limit") ?? 100)
      let entries = try await files.list(limit: limit, request.context).map { entry($0, named: nil) }
      try await stream.text(JSONValue.object([.init("files", .array(entries))]).text)
    case "content":
      let content = try await files.content(of: try id(of: request), request.context)
      let isText = String(validating: content, as: UTF8.self) != nil
      guard isText else { throw ProviderError(.badResponse, "the file's content is not text", isRetryable: false) }
      try await stream.text(String(decoding: content, as: UTF8.self))
    default:
      let id = try id(of: request)
      let isDry = request.arguments["dry_run"]?.bool() ?? false
      if !isDry { try await files.delete(id, request.context) }
      try await stream.text(JSONValue.object([.init(isDry ? "would_delete" : "deleted", .string(id))]).text)
    }
    return stream.finish(.stop)
  }

  /// A prv.chat/1 body: what Moonshot read in each file as a system message, then the prompt.
  static func chatBody(_ request: ToolRequest, _ files: OpenAIFiles) async throws(ProviderError) -> [UInt8] {
    var ids: [String] = []
    // All of them before the first request: a wrong one costs nothing.
    if let list = request.arguments["file_ids"] {
      for element in list.elements() { ids.append(try OpenAIFiles.checked(element.string() ?? "")) }
    }
    var body = ByteBuffer()
    body.append("{\"messages\":[")
    for id in ids {
      let content = try await files.content(of: id, request.context)
      body.append("{\"role\":\"system\",\"content\":")
      body.appendJSON(string: String(decoding: content, as: UTF8.self))
      body.append("},")
    }
    body.append("{\"role\":\"user\",\"content\":")
    body.appendJSON(string: request.text("prompt") ?? "")
    body.append("}],\"temperature\":")
    body.appendJSON(double: request.arguments["temperature"]?.double() ?? 0.3)
    body.append("}")
    return Array(body.readable)
  }

  // MARK: - Parts

  private static func id(of request: ToolRequest) throws(ProviderError) -> String {
    guard let id = request.text("file_id") else {
      throw ProviderError(.badRequest, "file_id is required for this operation", isRetryable: false)
    }
    return try OpenAIFiles.checked(id)
  }

  /// What clients are told of a file; what the upstream does not say is absent.
  private static func entry(_ file: JSONValue, named name: String?) -> JSONValue {
    var members: [JSONValue.Member] = []
    for (ours, theirs) in [
      ("file_id", "id"), ("name", "filename"), ("bytes", "bytes"), ("purpose", "purpose"), ("status", "status"),
      ("created_at", "created_at"),
    ] {
      if let value = file[theirs], value != .null {
        members.append(.init(ours, value))
      } else if ours == "name", let name {
        members.append(.init(ours, .string(name)))
      }
    }
    return .object(members)
  }
}
