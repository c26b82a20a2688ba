import Bytes
import Decisions
import JSON

/// The codes a client may meet (docs/protocol.md, "Errors").
enum ErrorCode: String, Sendable, CaseIterable {
  case invalidRequest = "INVALID_REQUEST"
  case unauthorized = "UNAUTHORIZED"
  case notFound = "NOT_FOUND"
  case timeout = "TIMEOUT"
  case validationError = "VALIDATION_ERROR"
  case overCapacity = "OVER_CAPACITY"
  case rateLimited = "RATE_LIMITED"
  case internalError = "INTERNAL_ERROR"
  case serviceUnavailable = "SERVICE_UNAVAILABLE"
  case toolNotFound = "TOOL_NOT_FOUND"
  case toolExecutionError = "TOOL_EXECUTION_ERROR"
  case providerError = "PROVIDER_ERROR"
  case protocolError = "PROTOCOL_ERROR"
  case duplicate = "DUPLICATE"
  case cancelled = "CANCELLED"
}

/// Why a call was refused or failed, as every face reports it: the code, a sentence, and facts by name.
struct CallError: Error, Sendable, Equatable {
  var code: ErrorCode
  var message: String
  /// Facts for a program to read, in the order they are written.
  var details: [Detail] = []

  struct Detail: Sendable, Equatable {
    var name: String
    var value: DetailValue
  }

  enum DetailValue: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case milliseconds(UInt64)
    case bool(Bool)
    case strings([String])
    case null
  }

  init(_ code: ErrorCode, _ message: String, _ details: [(String, DetailValue)] = []) {
    self.code = code
    self.message = message
    self.details = details.map { Detail(name: $0.0, value: $0.1) }
  }

  /// An argument that breaks its rule. `value` is shortened, so that a reply never carries a prompt back.
  static func invalid(_ field: String, _ rule: String, found value: String) -> CallError {
    CallError(
      .validationError, "Validation failed for '\(field)': \(rule)",
      [("field", .string(field)), ("value", .string(shortened(value)))])
  }

  /// What the client sent, cut to 100 characters: enough to recognise it.
  static func shortened(_ text: String) -> String {
    var shown = String(String.UnicodeScalarView(text.unicodeScalars.prefix(100)))
    if shown.utf8.count < text.utf8.count { shown += "…" }
    return shown
  }

  /// A duration for a sentence: `0.1`, `180`.
  static func seconds(_ nanoseconds: UInt64) -> String {
    let milliseconds = nanoseconds / 1_000_000
    return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)" : "\(Double(milliseconds) / 1000)"
  }

  /// What a provider's failure becomes. Its own words are kept apart from ours.
  init(failure: ProviderFailure, provider: String, isPartial: Bool) {
    var details: [(String, DetailValue)] = [
      ("provider", .string(provider)),
      ("upstream_status", failure.httpStatus == 0 ? .null : .integer(Int64(failure.httpStatus))),
      ("upstream_code", failure.providerCode.isEmpty ? .null : .string(failure.providerCode)),
      ("upstream_message", .string(failure.message)),
      ("retryable", failure.isRetryable.map(DetailValue.bool) ?? .null),
      ("partial", .bool(isPartial)),
    ]
    if failure.retryAfterNanoseconds > 0 {
      details.append(("retry_after", .milliseconds(failure.retryAfterNanoseconds / 1_000_000)))
    }
    if !failure.upstreamRequestID.isEmpty {
      details.append(("upstream_request_id", .string(failure.upstreamRequestID)))
    }
    let status = failure.httpStatus == 0 ? "" : " (HTTP \(failure.httpStatus))"
    self.init(.providerError, "\(provider)\(status): \(failure.message)", details)
  }

  static func draining(provider: String) -> CallError {
    unavailable(
      "The host is shutting down; connect to another or try again later", reason: "draining", provider: provider)
  }

  /// The provider failed too often: it is left alone until `retryAfterNanoseconds` have passed.
  static func breakerOpen(provider: String, retryAfterNanoseconds: UInt64) -> CallError {
    let wait = wholeMilliseconds(retryAfterNanoseconds)
    return unavailable(
      "Provider \(provider) is left alone after failures; retry in \(seconds(wait * 1_000_000)) s",
      reason: "breaker_open", provider: provider, retryAfterMilliseconds: wait)
  }

  /// The provider's plugin ended too often: nothing changes before an operator has looked at it.
  static func quarantined(provider: String) -> CallError {
    unavailable(
      "Provider \(provider) is in quarantine: its plugin ended too often, and is not started any more before an "
        + "operator has replaced it or let it go again", reason: "quarantined", provider: provider,
      retryAfterMilliseconds: 60_000)
  }

  /// At least as long: who comes back after exactly the time that it was told is not too early.
  private static func wholeMilliseconds(_ nanoseconds: UInt64) -> UInt64 {
    max(1, nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1))
  }

  /// More messages than the configured rate.
  init(_ refusal: RateLimits.Refusal) {
    let whose =
      switch refusal.scope {
      case .address: "this address"
      case .principal: "this principal"
      case .global: "the host"
      }
    self.init(
      .rateLimited,
      "More messages than \(whose) may have: \(refusal.rate.burst) at once, then \(refusal.rate.perSecond) per second; "
        + "retry in \(Self.seconds(Self.wholeMilliseconds(refusal.retryAfterNanoseconds) * 1_000_000)) s",
      [
        ("retry_after", .milliseconds(Self.wholeMilliseconds(refusal.retryAfterNanoseconds))),
        ("scope", .string(refusal.scope.rawValue)), ("burst", .integer(Int64(refusal.rate.burst))),
        ("per_second", .integer(Int64(refusal.rate.perSecond))),
      ])
  }

  /// The same arguments run under another id, and the client asked to be told.
  static func duplicate(of id: String) -> CallError {
    CallError(
      .duplicate, "The same call runs already as \(shortened(id))",
      [("original_request_id", .string(id)), ("retry_after", .milliseconds(1_000))])
  }

  static func starting() -> CallError {
    unavailable("The host is starting; its providers are not ready yet", reason: "starting", provider: nil)
  }

  private static func unavailable(
    _ message: String, reason: String, provider: String?, retryAfterMilliseconds: UInt64 = 1_000
  ) -> CallError {
    CallError(
      .serviceUnavailable, message,
      [
        ("provider", provider.map(DetailValue.string) ?? .null),
        ("retry_after", .milliseconds(max(1, retryAfterMilliseconds))),
        ("reason", .string(reason)),
      ])
  }

  /// A message that is not what its operation needs.
  static func invalidMessage(_ reason: String) -> CallError {
    CallError(.invalidRequest, "Invalid message: \(reason)", [("validation_error", .string(reason))])
  }

  /// A limit of the host was reached.
  init(_ refusal: Admission.Refusal, provider: String) {
    var details: [(String, DetailValue)] = [
      ("retry_after", .milliseconds(refusal.retryAfterNanoseconds / 1_000_000)),
      ("scope", .string(refusal.scope.rawValue)),
    ]
    if refusal.scope == .provider { details.append(("provider", .string(provider))) }
    details.append(("limit", .integer(Int64(refusal.limit))))
    details.append(("in_flight", .integer(Int64(refusal.inFlight))))
    let whose =
      switch refusal.scope {
      case .global: "The host's"
      case .provider: "Provider \(provider)'s"
      case .session: "The session's"
      case .principal: "The principal's"
      }
    self.init(
      .overCapacity,
      "\(whose) limit of \(refusal.limit) calls in flight is reached; retry in "
        + "\(Self.seconds(refusal.retryAfterNanoseconds)) s", details)
  }

  /// Writes `{"code":…,"message":…,"details":{…}}`.
  func write(to buffer: inout ByteBuffer) {
    buffer.append("{\"code\":\"")
    buffer.append(code.rawValue)
    buffer.append("\",\"message\":")
    buffer.appendJSON(string: message)
    if !details.isEmpty {
      buffer.append(",\"details\":{")
      for (index, detail) in details.enumerated() {
        if index > 0 { buffer.append(0x2C) }
        buffer.appendJSON(string: detail.name)
        buffer.append(0x3A)
        detail.value.write(to: &buffer)
      }
      buffer.append(0x7D)
    }
    buffer.append(0x7D)
  }
}

extension CallError.DetailValue {
  fileprivate func write(to buffer: inout ByteBuffer) {
    switch self {
    case .string(let text): buffer.appendJSON(string: text)
    case .integer(let number): buffer.appendDecimal(number)
    case .milliseconds(let milliseconds): buffer.appendJSON(double: Double(milliseconds) / 1000)
    case .bool(let flag): buffer.append(flag ? "true" : "false")
    case .null: buffer.append("null")
    case .strings(let texts):
      buffer.append(0x5B)
      for (index, text) in texts.enumerated() {
        if index > 0 { buffer.append(0x2C) }
        buffer.appendJSON(string: text)
      }
      buffer.append(0x5D)
    }
  }
}
