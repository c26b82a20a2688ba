import ProviderAPI
import Testing

@testable import OpenAIWire

@Suite struct `The error mapping` {
  private func error(
    _ status: Int, _ body: String, headers: [(name: String, value: String)] = [], rows: [ErrorRow] = []
  ) -> ProviderError {
    Array(body.utf8).withUnsafeBytes {
      ErrorMapping(rows: rows).error(
        status: status, headers: HTTPHeaders(headers), body: $0, nowUnixSeconds: 784_111_777)
    }
  }

  @Test(arguments: [
    (301, ProviderError.Code.badResponse, false), (400, .badRequest, false), (401, .authentication, false),
    (402, .quota, false), (403, .permission, false), (404, .notFound, false), (405, .notFound, false),
    (408, .timeout, true), (409, .badRequest, false), (413, .badRequest, false), (422, .badRequest, false),
    (429, .rateLimited, true), (500, .upstream, true), (501, .unsupported, false), (502, .upstream, true),
    (503, .overloaded, true), (504, .timeout, true), (529, .overloaded, true),
  ])
  func `reads the status where nothing else is said`(status: Int, code: ProviderError.Code, retry: Bool) {
    let error = error(status, "")
    #expect(error.code == code)
    #expect(error.isRetryable == retry)
    #expect(error.httpStatus == status)
    #expect(error.providerCode == nil)
    #expect(error.message.hasPrefix("the upstream answered \(status) with an empty body"))
  }

  @Test(arguments: [
    // llama.cpp
    (
      401, #"{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}"#,
      ProviderError.Code.authentication, "authentication_error"
    ),
    (
      400, #"{"error":{"code":400,"message":"'messages' is required","type":"invalid_request_error"}}"#, .badRequest,
      "invalid_request_error"
    ),
    (
      400,
      #"{"error":{"code":400,"message":"request (20020 tokens) exceeds the available context size (8192 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":20020,"n_ctx":8192}}"#,
      .contextLength, "exceed_context_size_error"
    ),
    (404, #"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#, .notFound, "not_found_error"),
    (501, #"{"error":{"code":501,"message":"no","type":"not_supported_error"}}"#, .unsupported, "not_supported_error"),
    // OpenAI
    (
      429, #"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#, .quota,
      "insufficient_quota"
    ),
    (
      400, #"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
      .contextLength, "context_length_exceeded"
    ),
    (
      404,
      #"{"error":{"message":"The model x does not exist","type":"invalid_request_error","code":"model_not_found"}}"#,
      .modelNotFound, "model_not_found"
    ),
    (400, #"{"error":{"message":"m","code":"content_policy_violation"}}"#, .contentFilter, "content_policy_violation"),
    // vLLM, Ollama, FastAPI
    (
      400,
      #"{"object":"error","message":"This model's maximum context length is 8 tokens","type":"BadRequestError","code":400}"#,
      .contextLength, "BadRequestError"
    ),
    (404, #"{"error":"model \"x\" not found, try pulling it first"}"#, .modelNotFound, ""),
    (422, #"{"detail":[{"loc":["body"],"msg":"field required","type":"v"}]}"#, .badRequest, ""),
    (500, #"{"code":500,"msg":"404 NOT_FOUND","success":false}"#, .upstream, "500"),
  ])
  func `reads what servers write`(status: Int, body: String, code: ProviderError.Code, providerCode: String) {
    let error = error(status, body)
    #expect(error.code == code)
    #expect(error.providerCode ?? "" == providerCode)
    #expect(!error.message.contains("the upstream answered"))
  }

  @Test func `describes a body that tells no error without repeating it`() {
    let error = error(502, "<html>secret</html>", headers: [("Content-Type", "text/html")])
    #expect(error.message == "the upstream answered 502 with 19 bytes of text/html that tell no error")
    #expect(self.error(302, "").message.hasSuffix("; redirects are not followed, so check base_url"))
  }

  @Test func `prefers the provider's rows, and adds their advice to its message`() {
    let rows = [ErrorRow("x", saying: "per day", .quota), ErrorRow("x", .overloaded, retry: true, advice: "wait")]
    #expect(error(500, #"{"error":{"code":"x","message":"Limit Per Day"}}"#, rows: rows).code == .quota)
    let other = error(500, #"{"error":{"type":"x","message":"m"}}"#, rows: rows)
    #expect(other.code == .overloaded)
    #expect(other.message == "m (wait)")
  }

  @Test func `cuts long messages`() {
    let message = error(400, #"{"error":{"message":"\#(String(repeating: "é", count: 1001))"}}"#).message
    #expect(message.count == 1000)
  }

  @Test(arguments: [
    ("Incorrect API key provided: sk-ab.", "Incorrect API key provided: [redacted]"),
    ("key 1234567890abcdef.XYZ refused", "key [redacted] refused"),
    ("Invalid Authentication", "Invalid Authentication"),
    ("invalid_authentication_error", "invalid_authentication_error"),
    ("key sk-proj***…wxyz", "key [redacted]…wxyz"),
  ])
  func `takes keys out of what a refusal says`(message: String, kept: String) {
    #expect(error(401, #"{"error":{"message":"\#(message)"}}"#).message == kept)
  }

  @Test func `keeps the upstream's id of the request`() {
    #expect(error(500, "", headers: [("X-Request-Id", "r1")]).requestID == "r1")
    #expect(error(500, "").requestID == nil)
  }

  // MARK: - Waiting

  @Test(arguments: [
    ([("Retry-After", "7")], 7000), ([("retry-after", "0")], 0), ([("Retry-After", "1.5")], 1500),
    ([("retry-after-ms", "250"), ("Retry-After", "1")], 250),
    ([("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT")], 60_000),
    ([("Retry-After", "Sun, 06 Nov 1994 08:49:36 GMT")], 0),
    ([("Retry-After", "99999999999999999999")], 2_592_000_000),
    ([("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0s")], 360_000),
    (
      [
        ("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-reset-requests", "6m0s"),
        ("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "120ms"),
      ], 120
    ),
  ])
  func `waits as long as the headers say`(headers: [(String, String)], milliseconds: Int) {
    #expect(
      error(429, "", headers: headers.map { (name: $0.0, value: $0.1) }).retryAfter == .milliseconds(milliseconds))
  }

  @Test(arguments: [
    "", "-1", "soon", "nan", "0x10 s", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
  ])
  func `does not guess what it cannot read`(value: String) {
    #expect(error(429, "", headers: [("Retry-After", value)]).retryAfter == nil)
  }

  @Test(arguments: [
    ("Your limit will reset at 1994-11-06 16:50:37", 60 as Int64?), ("重置时间 1994-11-06 16:49:37。", nil),
    ("reset at 1994-11-06 16:49:38, then 2026-01-01 00:00:00", 1), ("reset at 1994-13-06 16:50:37", nil),
    ("reset at 1994-11-06T16:50:37", nil), ("reset at 1994-11-06 16:50:3", nil), ("", nil),
    ("reset at 9999-12-31 23:59:59", 2_592_000),
  ])
  func `reads when a cap ends from the message, by the provider's clocks`(message: String, seconds: Int64?) {
    var mapping = ErrorMapping(rows: [ErrorRow("1308", .rateLimited), ErrorRow("1302", .rateLimited, retry: true)])
    func delay(_ code: String) -> Duration? {
      let body = Array(#"{"error":{"code":"\#(code)","message":"\#(message)"}}"#.utf8)
      return body.withUnsafeBytes { body in
        mapping.error(status: 429, headers: HTTPHeaders([]), body: body, nowUnixSeconds: 784_111_777).retryAfter
      }
    }
    #expect(delay("1308") == nil, "only where a provider is known to say it")
    mapping.resetOffsetSeconds = 8 * 3600
    #expect(delay("1308") == seconds.map { .seconds($0) })
    #expect(delay("1302") == nil, "a limit of a minute says nothing of the kind")
  }

  @Test(arguments: [("1s", 1.0), ("6m0s", 360), ("1h2m3s", 3723), ("120ms", 0.12), ("1d", 86_400), ("5", 5)])
  func `reads spans`(text: String, seconds: Double) { #expect(RetryAfter.span(text) == seconds) }

  @Test(arguments: ["", "s", "1x", "1s2", "-1s", "1e3s"])
  func `refuses what is no span`(text: String) { #expect(RetryAfter.span(text) == nil) }

  @Test(arguments: [
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199), ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
  ])
  func `reads dates`(text: String, seconds: Int64) { #expect(HTTPDate.unixSeconds(text) == seconds) }
}
