import Bytes
import JSON
import OpenAIWire
import ProviderAPI

/// What GLM offers beside chats: a search of the web, and files for its agents.
enum GLMTools {
  static let all = [search, upload]

  static let search = ToolDescription(
    name: "glm_web_search",
    description: "Searches the web through Zhipu and answers with what was found, as JSON.",
    inputSchema: """
      {"type": "object", "additionalProperties": false, "required": ["search_query"], "properties": {
        "search_query": {"type": "string", "minLength": 1, "maxLength": 2000},
        "count": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10},
        "search_engine": {"type": "string", "minLength": 1, "maxLength": 100, "default": "search-prime"},
        "search_domain_filter": {"type": "string", "minLength": 1, "maxLength": 255},
        "search_recency_filter": {"type": "string",
          "enum": ["oneDay", "oneWeek", "oneMonth", "oneYear", "noLimit", "all"]},
        "request_id": {"type": "string", "minLength": 1, "maxLength": 64},
        "user_id": {"type": "string", "minLength": 6, "maxLength": 128}}}
      """, isRepeatable: true)

  static let upload = ToolDescription(
    name: "glm_upload_file",
    description: "Uploads a file to Zhipu and answers with its id.",
    inputSchema: """
      {"type": "object", "additionalProperties": false, "required": ["file"], "properties": {
        "file": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
          "name": {"type": "string"}, "base64": {"type": "string"}, "text": {"type": "string"},
          "media_type": {"type": "string"}}, "description": "With its content: as text, or as base64."},
        "purpose": {"type": "string", "minLength": 1, "maxLength": 50, "default": "agent"}}}
      """,
    files: FileArgument("file", maxCount: 1))

  /// Bytes of a search's answer: 50 results with their texts.
  private static let searchBytes = 4 << 20

  static func search(_ request: ToolRequest, _ endpoint: Endpoint, to stream: consuming ChatStream)
    async throws(ProviderError) -> ChatEnd
  {
    let answer = try await endpoint.json(
      endpoint.request(
        "POST", "/web_search", headers: [("Content-Type", "application/json"), ("Accept-Language", "en-US,en")],
        body: searchBody(request)), GLMErrors.mapping, request.context, limitBytes: searchBytes)
    try await stream.text(answer.text)
    return stream.finish(.stop)
  }

  private static func searchBody(_ request: ToolRequest) -> [UInt8] {
    var members: [JSONValue.Member] = [
      .init("search_query", .string(request.text("search_query") ?? "")),
      .init("count", .integer(request.integer("count") ?? 10)),
      .init("search_engine", .string(request.text("search_engine") ?? "search-prime")),
    ]
    for name in ["search_domain_filter", "search_recency_filter", "request_id", "user_id"] {
      if let text = request.arguments[key: name]?.string() { members.append(.init(name, .string(text))) }
    }
    return Array(JSONValue.object(members).text.utf8)
  }

  static func upload(_ request: ToolRequest, _ endpoint: Endpoint, to stream: consuming ChatStream)
    async throws(ProviderError) -> ChatEnd
  {
    guard let file = request.files.first else {
      throw ProviderError(.badRequest, "file is required", isRetryable: false)
    }
    let purpose = request.text("purpose") ?? "agent"
    let answer = try await OpenAIFiles(endpoint, GLMErrors.mapping).upload(file, purpose: purpose, request.context)
    let id = JSONValue.Member("file_id", answer["id"] ?? .null)
    let name = JSONValue.Member("name", answer["filename"] ?? .string(file.name))
    try await stream.text(JSONValue.object([id, name, .init("purpose", .string(purpose))]).text)
    return stream.finish(.stop)
  }
}
