import Bytes
import JSON
public import ProviderAPI

/// Turns what an upstream says went wrong into what the host decides by.
///
/// The provider's rows come first, then those that many servers share, then the HTTP status alone. The provider's own
/// code and message are kept word for word, but for what looks like a key.
public struct ErrorMapping: Sendable {
  /// Characters of a provider's message that are kept.
  static let messageCharacters = 1000

  public var rows: [ErrorRow]
  /// Response headers that carry the upstream's id of the request, best first.
  public var requestIDHeaders: [String]
  /// What the clocks are ahead of UTC, in seconds, by which the provider's messages say when a limit ends; nil: they say
  /// nothing of the kind.
  public var resetOffsetSeconds: Int64?

  public init(
    rows: [ErrorRow] = [], requestIDHeaders: [String] = ["x-request-id", "request-id"],
    resetOffsetSeconds: Int64? = nil
  ) {
    self.rows = rows
    self.requestIDHeaders = requestIDHeaders
    self.resetOffsetSeconds = resetOffsetSeconds
  }

  /// The error of an answer that is not 2xx.
  public func error(
    status: Int, headers: HTTPHeaders, body: UnsafeRawBufferPointer, nowUnixSeconds: Int64
  ) -> ProviderError {
    let said = (try? JSONView(parsing: body)).flatMap { UpstreamError($0) }
    var error = map(said, status: status)
    if said?.message == nil { error.message = Self.describe(status, headers, body) + Self.redirection(status, headers) }
    error.retryAfter =
      RetryAfter.delay(headers, nowUnixSeconds: nowUnixSeconds)
      ?? reset(said?.message, error, nowUnixSeconds: nowUnixSeconds)
    error.requestID = requestIDHeaders.lazy.compactMap { headers[$0] }.first
    return error
  }

  /// The error that stands in a stream, or in the body of a 2xx answer.
  func error(inAnswer json: JSONView) -> ProviderError {
    map(UpstreamError(json), status: nil)
  }

  /// When a cap that lasts for hours or days ends, as the message says.
  private func reset(_ message: String?, _ error: ProviderError, nowUnixSeconds: Int64) -> Duration? {
    guard let resetOffsetSeconds, let message, error.code == .rateLimited, error.isRetryable == false,
      let time = ResetTime.unixSeconds(in: message, utcOffsetSeconds: resetOffsetSeconds), time > nowUnixSeconds
    else { return nil }
    return .seconds(min(time - nowUnixSeconds, RetryAfter.limitSeconds))
  }

  // MARK: - Rows

  private func map(_ said: UpstreamError?, status: Int?) -> ProviderError {
    let status = status ?? said?.statusInCode
    let row = (rows + ErrorRow.common).first { $0.matches(said, status: status) }
    let meaning = row.map { ($0.code, $0.isRetryable) } ?? Self.meaning(ofStatus: status)
    var message = said?.message ?? "the upstream reported an error without a message"
    if meaning.0 == .authentication { message = KeyRedaction.redact(message) }
    message = String(message.prefix(Self.messageCharacters))
    if let advice = row?.advice { message += " (\(advice))" }
    return ProviderError(
      meaning.0, message, httpStatus: status, providerCode: said?.providerCode(status: status),
      isRetryable: meaning.1)
  }

  /// What an HTTP status means by itself (RFC 9110 §15).
  private static func meaning(ofStatus status: Int?) -> (ProviderError.Code, Bool) {
    switch status {
    case nil: (.upstream, true)
    case 401: (.authentication, false)
    case 402: (.quota, false)
    case 403: (.permission, false)
    case 404, 405, 410: (.notFound, false)
    case 408, 504: (.timeout, true)
    case 429: (.rateLimited, true)
    case 501: (.unsupported, false)
    case 503, 529: (.overloaded, true)
    case .some(400..<500): (.badRequest, false)
    case .some(500...): (.upstream, true)
    default: (.badResponse, false)
    }
  }

  // MARK: - Words

  private static func describe(_ status: Int, _ headers: HTTPHeaders, _ body: UnsafeRawBufferPointer) -> String {
    let type = headers["content-type"].map { $0.isEmpty ? "no content type" : $0 } ?? "no content type"
    if body.isEmpty { return "the upstream answered \(status) with an empty body" }
    return "the upstream answered \(status) with \(body.count) bytes of \(type) that tell no error"
  }

  private static func redirection(_ status: Int, _ headers: HTTPHeaders) -> String {
    guard (300..<400).contains(status) else { return "" }
    return "; redirects are not followed, so check base_url"
  }
}

/// One signal of a provider, and what it means.
public struct ErrorRow: Sendable {
  public enum Signal: Sendable {
    /// `error.code` or `error.type`.
    case code(StaticString)
    case status(Int)
    /// Whatever the code says.
    case any
  }

  public var signal: Signal
  /// What the message must have in it, in lower case; nil: anything.
  public var phrase: StaticString?
  public var code: ProviderError.Code
  /// Whether the same request may succeed soon.
  public var isRetryable: Bool
  /// What the operator can do, added to the provider's message.
  public var advice: String?

  public init(
    _ signal: Signal, saying phrase: StaticString? = nil, _ code: ProviderError.Code, retry isRetryable: Bool = false,
    advice: String? = nil
  ) {
    self.signal = signal
    self.phrase = phrase
    self.code = code
    self.isRetryable = isRetryable
    self.advice = advice
  }

  public init(
    _ code: StaticString, saying phrase: StaticString? = nil, _ meaning: ProviderError.Code,
    retry isRetryable: Bool = false, advice: String? = nil
  ) {
    self.init(.code(code), saying: phrase, meaning, retry: isRetryable, advice: advice)
  }

  func matches(_ said: UpstreamError?, status: Int?) -> Bool {
    switch signal {
    case .code(let code): guard said?.code == "\(code)" || said?.type == "\(code)" else { return false }
    case .status(let wanted): guard status == wanted else { return false }
    case .any: break
    }
    guard let phrase else { return true }
    return said?.message?.lowercased().contains("\(phrase)") ?? false
  }

  /// Signals that OpenAI and the servers made after it share.
  static let common = [
    ErrorRow("context_length_exceeded", .contextLength),
    ErrorRow("exceed_context_size_error", .contextLength),
    ErrorRow(.status(400), saying: "maximum context length", .contextLength),
    ErrorRow("insufficient_quota", .quota),
    ErrorRow("billing_hard_limit_reached", .quota),
    ErrorRow("model_not_found", .modelNotFound),
    ErrorRow(.status(404), saying: "model", .modelNotFound),
    ErrorRow("content_filter", .contentFilter),
    ErrorRow("content_policy_violation", .contentFilter),
    ErrorRow("invalid_api_key", .authentication),
    ErrorRow("rate_limit_exceeded", .rateLimited, retry: true),
    ErrorRow("overloaded_error", .overloaded, retry: true),
  ]
}

extension ErrorMapping {
  /// The error that an event named `error` carries.
  func error(inEvent data: UnsafeRawBufferPointer) -> ProviderError {
    map((try? JSONView(parsing: data)).flatMap { UpstreamError($0) }, status: nil)
  }
}
