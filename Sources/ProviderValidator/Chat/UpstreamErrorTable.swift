internal import CProviderABI
internal import ProviderTesting

/// What an upstream may answer instead of an answer, and the codes that say so.
struct UpstreamErrorTable {
  struct Row {
    var name: String
    var answer: UpstreamAnswer
    /// Codes that fit; the first is the best.
    var statuses: [Int32]
    /// In seconds; nil: whatever is said.
    var retryAfter: UInt64?

    /// nil: the call ended as it should.
    func verdict(on call: MockCall) -> Verdict? {
      guard let done = call.dones.first else { return .fail(expected: "done", found: "none") }
      guard statuses.contains(done.status) else {
        let wanted = statuses.map(String.init).joined(separator: " or ")
        return .fail(expected: "status \(wanted) for \(name)", found: "\(done.status)", rule: "PRV-R008")
      }
      guard call.finishReason == nil else { return .fail(expected: "no FINISH for \(name)", found: "one") }
      if let retryAfter, done.retryAfterNanoseconds != retryAfter * 1_000_000_000 {
        return .fail(
          expected: "retry_after_ns of \(retryAfter) s for \(name)", found: "\(done.retryAfterNanoseconds) ns")
      }
      return nil
    }
  }

  /// What holds for every kind of call.
  private static let common = [
    Row(
      name: "401", answer: ChatScript.error(401, "no such key", code: "invalid_api_key", type: "invalid_request_error"),
      statuses: [PRV_E_AUTH]),
    Row(name: "403", answer: ChatScript.error(403, "not for you"), statuses: [PRV_E_PERMISSION, PRV_E_AUTH]),
    Row(name: "500", answer: ChatScript.error(500, "oops"), statuses: [PRV_E_UPSTREAM, PRV_E_OVERLOADED]),
    Row(name: "503", answer: ChatScript.error(503, "busy"), statuses: [PRV_E_OVERLOADED, PRV_E_UPSTREAM]),
    Row(
      name: "500 with a page", answer: UpstreamAnswer(status: 500, type: "text/html", body: "<html><h1>Oops"),
      statuses: [PRV_E_UPSTREAM, PRV_E_OVERLOADED, PRV_E_BAD_RESPONSE]),
  ]

  static let models =
    common + [
      Row(
        name: "404", answer: ChatScript.error(404, "no such path"),
        statuses: [PRV_E_NOT_FOUND, PRV_E_UNSUPPORTED, PRV_E_MODEL_NOT_FOUND, PRV_E_BAD_REQUEST]),
      Row(
        name: "a page instead of a list", answer: UpstreamAnswer(type: "text/html", body: "<html><h1>Welcome"),
        statuses: [PRV_E_BAD_RESPONSE]),
      Row(name: "an empty body", answer: UpstreamAnswer(body: ""), statuses: [PRV_E_BAD_RESPONSE]),
    ]

  static let chat =
    common + [
      Row(
        name: "429 with Retry-After",
        answer: ChatScript.error(429, "too many requests", code: "rate_limit_exceeded", retryAfter: 7),
        statuses: [PRV_E_RATE_LIMITED, PRV_E_CONCURRENCY, PRV_E_OVERLOADED], retryAfter: 7),
      Row(
        name: "a context that is too long",
        answer: ChatScript.error(
          400, "This model's maximum context length is 8192 tokens", code: "context_length_exceeded",
          type: "invalid_request_error"), statuses: [PRV_E_CONTEXT_LENGTH]),
      Row(
        name: "a content filter", answer: ChatScript.error(400, "filtered", code: "content_filter"),
        statuses: [PRV_E_CONTENT_FILTER]),
      Row(
        name: "an empty account", answer: ChatScript.error(429, "no credit", code: "insufficient_quota"),
        statuses: [PRV_E_QUOTA]),
      Row(
        name: "an unknown model", answer: ChatScript.error(404, "the model does not exist", code: "model_not_found"),
        statuses: [PRV_E_MODEL_NOT_FOUND]),
      Row(
        name: "400", answer: ChatScript.error(400, "bad parameter", type: "invalid_request_error"),
        statuses: [PRV_E_BAD_REQUEST, PRV_E_INVALID_ARGUMENT]),
    ]
}
