import Bytes
public import JSON
public import ProviderAPI

/// The files that an upstream keeps, in OpenAI's way: `POST /files` in parts, `GET` and `DELETE` by id.
public struct OpenAIFiles: Sendable {
  /// Bytes of a list, or of what an upload answers.
  static let answerBytes = 4 << 20
  /// Bytes of one file's content.
  static let contentBytes = 16 << 20
  static let idCharacters = 1...200

  private let endpoint: Endpoint
  private let errors: ErrorMapping

  public init(_ endpoint: Endpoint, _ errors: ErrorMapping) {
    self.endpoint = endpoint
    self.errors = errors
  }

  /// Uploads one file and returns what the upstream says of it: an object with its `id`.
  public func upload(_ file: SentFile, purpose: String, _ context: CallContext) async throws(ProviderError) -> JSONValue
  {
    let form = FormData(file, purpose: purpose)
    let request = endpoint.request(
      "POST", "/files", headers: [("Content-Type", "multipart/form-data; boundary=\(form.boundary)")], body: form.body)
    let answer = try await endpoint.json(request, errors, context, limitBytes: Self.answerBytes)
    guard answer["id"]?.string != nil else {
      throw ProviderError(.badResponse, "expected the uploaded file's id, got \(Self.shown(answer))")
    }
    return answer
  }

  /// What the upstream has, at most `limit`, newest as it lists them.
  public func list(limit: Int, _ context: CallContext) async throws(ProviderError) -> [JSONValue] {
    let answer = try await endpoint.json(
      endpoint.request("GET", "/files"), errors, context, limitBytes: Self.answerBytes)
    guard let files = answer["data"]?.array else {
      throw ProviderError(.badResponse, "expected a list of files, got \(Self.shown(answer))")
    }
    return Array(files.prefix(limit))
  }

  /// What the upstream has made of a file: its text, or its bytes.
  public func content(of id: String, _ context: CallContext) async throws(ProviderError) -> [UInt8] {
    try await endpoint.body(
      of: endpoint.request("GET", "/files/\(try Self.checked(id))/content"), errors, context,
      limitBytes: Self.contentBytes)
  }

  public func delete(_ id: String, _ context: CallContext) async throws(ProviderError) {
    _ = try await endpoint.body(
      of: endpoint.request("DELETE", "/files/\(try Self.checked(id))"), errors, context, limitBytes: Self.answerBytes)
  }

  /// An id that goes into a path: nothing in it may lead elsewhere.
  public static func checked(_ id: String) throws(ProviderError) -> String {
    let isWord = id.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x5F
    }
    guard isWord, idCharacters.contains(id.utf8.count) else {
      throw ProviderError(
        .badRequest, "a file id has 1 to 200 letters, digits, '-' and '_', got \(id.utf8.count) bytes",
        isRetryable: false)
    }
    return id
  }

  private static func shown(_ json: JSONValue) -> String { String(json.text.prefix(100)) }
}

extension Endpoint {
  /// A request whose answer comes whole.
  public func request(
    _ method: String, _ operation: String, headers: [(name: String, value: String)] = [], body: [UInt8] = []
  ) -> HTTPRequest {
    HTTPRequest(
      method: method, url: base.url(operation), headers: headers + [("Accept", "application/json")], body: body,
      auth: auth)
  }

  /// - Throws: what the upstream says is wrong; `.limit` beyond `limitBytes`.
  public func body(of request: HTTPRequest, _ errors: ErrorMapping, _ context: CallContext, limitBytes: Int)
    async throws(ProviderError) -> [UInt8]
  {
    var exchange = try await context.http(request)
    guard exchange.isSuccess else { throw await errors.error(of: &exchange, context) }
    return try await exchange.collectBody(limitBytes: limitBytes)
  }

  /// - Throws: as `body(of:)`; `.badResponse` when the answer is no JSON.
  public func json(_ request: HTTPRequest, _ errors: ErrorMapping, _ context: CallContext, limitBytes: Int)
    async throws(ProviderError) -> JSONValue
  {
    let bytes = try await body(of: request, errors, context, limitBytes: limitBytes)
    return try bytes.withUnsafeBufferPointer { (bytes) throws(ProviderError) in
      do throws(JSONError) {
        return try JSONValue(parsing: UnsafeRawBufferPointer(bytes))
      } catch {
        throw ProviderError(.badResponse, "the answer is no JSON: \(error.reason) at byte \(error.offset)")
      }
    }
  }
}

/// One file and its purpose as `multipart/form-data` (RFC 7578).
struct FormData {
  let boundary: String
  let body: [UInt8]

  init(_ file: SentFile, purpose: String) {
    // 128 random bits: no content has it by chance, nor on purpose.
    boundary = "patchbay-\(UInt64.random(in: .min ... .max))-\(UInt64.random(in: .min ... .max))"
    var buffer = ByteBuffer()
    buffer.append("--\(boundary)\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n\(purpose)\r\n")
    buffer.append("--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"")
    buffer.append(Self.quoted(file.name))
    buffer.append("\"\r\nContent-Type: \(file.mediaType.isEmpty ? "application/octet-stream" : file.mediaType)\r\n\r\n")
    file.content.withUnsafeBytes { buffer.append($0) }
    buffer.append("\r\n--\(boundary)--\r\n")
    body = Array(buffer.readable)
  }

  /// As browsers write it (WHATWG HTML, multipart form data). The host lets no control character through.
  private static func quoted(_ name: String) -> String {
    name.utf8.contains(0x22)
      ? name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "%22") : name
  }
}
