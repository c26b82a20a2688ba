import CProviderABI

/// Why a call, or the making of an instance, failed.
///
/// The host decides by the code whether to try again, to open the breaker and what to tell the client, so choose it
/// with care. Texts carry no key and no prompt.
public struct ProviderError: Error, Equatable, Sendable {
  /// The status codes of provider_abi.h; the raw value is the code.
  public enum Code: Int32, Sendable {
    /// Nobody waits for the answer any more.
    case cancelled = 2
    case invalidArgument = -1
    case unsupported = -2
    case incompatible = -3
    case notFound = -4
    case state = -5
    case stale = -6
    case noMemory = -7
    /// A bound of the host or the SDK: a response too large, too many timers.
    case limit = -8
    /// The upstream refused the key.
    case authentication = -10
    /// The key may not do this, or the host does not allow the origin.
    case permission = -11
    /// Requests or tokens per window; `retryAfter` says when.
    case rateLimited = -12
    /// Money or plan: waiting does not help.
    case quota = -13
    /// The upstream is busy for everyone.
    case overloaded = -14
    case timeout = -15
    /// No connection, reset, or an end before the end.
    case network = -16
    /// The upstream answered 5xx.
    case upstream = -17
    /// The upstream broke its own format.
    case badResponse = -18
    /// The prompt does not fit the model.
    case contextLength = -19
    case contentFilter = -20
    /// The upstream refused the request's content.
    case badRequest = -21
    case modelNotFound = -22
    /// Too many of our calls are in flight there.
    case concurrency = -23
    /// The plugin's own fault.
    case `internal` = -30

    /// Any status that is not known is read as the plugin's own fault.
    init(status: Int32) { self = Code(rawValue: status) ?? .internal }
  }

  public var code: Code
  /// The provider's own message, or ours: what failed, on what, found against expected.
  public var message: String
  /// Of the upstream's answer; nil when there was none.
  public var httpStatus: Int?
  /// The provider's own code, word for word: `rate_limit_reached_error`, `1302`.
  public var providerCode: String?
  /// Whether the same request may succeed later; nil: the host judges by the code.
  public var isRetryable: Bool?
  /// How long the upstream asked to be left alone.
  public var retryAfter: Duration?
  /// The upstream's id of the request, for the provider's support.
  public var requestID: String?

  public init(
    _ code: Code, _ message: String, httpStatus: Int? = nil, providerCode: String? = nil, isRetryable: Bool? = nil,
    retryAfter: Duration? = nil, requestID: String? = nil
  ) {
    self.code = code
    self.message = message
    self.httpStatus = httpStatus
    self.providerCode = providerCode
    self.isRetryable = isRetryable
    self.retryAfter = retryAfter
    self.requestID = requestID
  }

  /// The call was cancelled: there is nobody to tell more.
  public static let cancelled = ProviderError(.cancelled, "the call was cancelled")
}

extension ProviderError {
  /// Writes the end of a call as the host reads it; what `done` points to is valid during `body` only.
  func withCDone<Result>(_ body: (UnsafePointer<prv_done>) -> Result) -> Result {
    var (code, text, id) = (providerCode ?? "", message, requestID ?? "")
    return code.withUTF8 { code in
      text.withUTF8 { text in
        id.withUTF8 { id in
          var done = prv_done.sized()
          done.status = self.code.rawValue
          done.http_status = httpStatus.flatMap { UInt32(exactly: $0) } ?? 0
          done.retryable = isRetryable.map { $0 ? PRV_RETRY_YES : PRV_RETRY_NO } ?? PRV_RETRY_UNKNOWN
          done.retry_after_ns = retryAfter?.wholeNanoseconds ?? 0
          done.provider_code = prv_str(code)
          done.message = prv_str(text)
          done.upstream_request_id = prv_str(id)
          return withUnsafePointer(to: done, body)
        }
      }
    }
  }
}

extension Duration {
  /// Whole nanoseconds, at least 0, at most 292 years.
  var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    guard seconds < 9_223_372_036 else { return UInt64(Int64.max) }
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}
