import Bytes
import Decisions
import JSON
import Testing

@testable import Host

extension CallError {
  /// As a client reads it.
  var json: JSONValue {
    var buffer = ByteBuffer()
    write(to: &buffer)
    return (try? JSONValue(parsing: buffer.readable)) ?? .null
  }
}

struct CallErrorTests {
  @Test func `every code is written as the protocol names it`() {
    let names =
      "INVALID_REQUEST UNAUTHORIZED NOT_FOUND TIMEOUT VALIDATION_ERROR OVER_CAPACITY RATE_LIMITED INTERNAL_ERROR "
      + "SERVICE_UNAVAILABLE TOOL_NOT_FOUND TOOL_EXECUTION_ERROR PROVIDER_ERROR PROTOCOL_ERROR DUPLICATE CANCELLED"
    #expect(ErrorCode.allCases.map(\.rawValue).joined(separator: " ") == names)
  }

  @Test func `each kind of detail is written as JSON in its order`() {
    let error = CallError(
      .timeout, "a \"quoted\"\nmessage",
      [
        ("text", .string("é\"")), ("number", .integer(-5)), ("seconds", .milliseconds(1_500)),
        ("whole", .milliseconds(2_000)),
        ("flag", .bool(true)), ("names", .strings(["a", "b"])), ("none", .strings([])), ("nothing", .null),
      ])
    var buffer = ByteBuffer()
    error.write(to: &buffer)
    #expect(
      buffer.string()
        == #"{"code":"TIMEOUT","message":"a \"quoted\"\nmessage","details":{"text":"é\"","number":-5,"#
        + #""seconds":1.5,"whole":2,"flag":true,"names":["a","b"],"none":[],"nothing":null}}"#)
    #expect(CallError(.cancelled, "x").json["details"] == nil)
  }

  @Test(
    arguments: [
      (Admission.Scope.global, "The host's limit of 24 calls in flight is reached; retry in 1.5 s"),
      (.provider, "Provider kimi's limit of 24 calls in flight is reached; retry in 1.5 s"),
      (.session, "The session's limit of 24 calls in flight is reached; retry in 1.5 s"),
    ])
  func `over capacity names whose limit it was`(scope: Admission.Scope, message: String) {
    let refusal = Admission.Refusal(
      scope: scope, provider: 0, limit: 24, inFlight: 24, retryAfterNanoseconds: 1_500_000_000)
    let json = CallError(refusal, provider: "kimi").json
    #expect(json["code"]?.string == "OVER_CAPACITY")
    #expect(json["message"]?.string == message)
    #expect(json["details"]?["scope"]?.string == scope.rawValue)
    #expect(json["details"]?["retry_after"]?.double == 1.5)
    #expect(json["details"]?["limit"]?.integer == 24)
    #expect(json["details"]?["in_flight"]?.integer == 24)
    #expect(json["details"]?["provider"]?.string == (scope == .provider ? "kimi" : nil))
  }

  @Test func `a provider's failure keeps its own words apart, and what it did not say is null`() {
    let bare = CallError(
      failure: ProviderFailure(status: ProviderStatus.network, message: "reset"), provider: "glm", isPartial: false
    ).json
    #expect(bare["message"]?.string == "glm: reset")
    for name in ["upstream_status", "upstream_code", "retryable"] { #expect(bare["details"]?[name] == .null) }
    for name in ["retry_after", "upstream_request_id"] { #expect(bare["details"]?[name] == nil) }

    var failure = ProviderFailure(status: ProviderStatus.rateLimited, message: "slow down")
    failure.httpStatus = 429
    failure.providerCode = "1302"
    failure.isRetryable = true
    failure.retryAfterNanoseconds = 2_500_000_000
    failure.upstreamRequestID = "req-9"
    let full = CallError(failure: failure, provider: "glm", isPartial: true).json
    #expect(full["code"]?.string == "PROVIDER_ERROR")
    #expect(full["message"]?.string == "glm (HTTP 429): slow down")
    #expect(full["details"]?["provider"]?.string == "glm")
    #expect(full["details"]?["upstream_status"]?.integer == 429)
    #expect(full["details"]?["upstream_code"]?.string == "1302")
    #expect(full["details"]?["upstream_message"]?.string == "slow down")
    #expect(full["details"]?["retryable"]?.bool == true)
    #expect(full["details"]?["partial"]?.bool == true)
    #expect(full["details"]?["retry_after"]?.double == 2.5)
    #expect(full["details"]?["upstream_request_id"]?.string == "req-9")
  }

  @Test func `a host that starts or drains says which, and when to come back`() {
    let starting = CallError.starting().json
    #expect(starting["code"]?.string == "SERVICE_UNAVAILABLE")
    #expect(starting["details"]?["reason"]?.string == "starting")
    #expect(starting["details"]?["provider"] == .null)
    let draining = CallError.draining(provider: "kimi").json
    #expect(draining["details"]?["reason"]?.string == "draining")
    #expect(draining["details"]?["provider"]?.string == "kimi")
    #expect(draining["details"]?["retry_after"]?.double == 1)
  }

  @Test(arguments: [(199_000_000, 0.199), (199_000_001, 0.2), (199_999_999, 0.2), (1, 0.001)])
  func `who comes back when a refusal says is not too early`(nanoseconds: UInt64, seconds: Double) throws {
    let breaker = CallError.breakerOpen(provider: "kimi", retryAfterNanoseconds: nanoseconds).json
    #expect(breaker["details"]?["retry_after"]?.double == seconds)
    #expect(breaker["message"]?.string?.hasSuffix("retry in \(seconds) s") == true)
    var rates = RateLimits(RateLimits.Policy(global: TokenBucket.Rate(burst: 1, perSecond: 5)))
    let first = Instant(nanoseconds: 1_000_000_000)
    #expect(rates.take(principal: nil, address: nil, now: first) == nil)
    let early = first.advanced(nanoseconds: 200_000_000 - nanoseconds)
    let refusal = rates.take(principal: nil, address: nil, now: early)
    let quick = CallError(try #require(refusal)).json
    #expect(quick["details"]?["retry_after"]?.double == seconds)
    #expect(quick["message"]?.string?.hasSuffix("retry in \(seconds) s") == true)
  }

  @Test(arguments: [99, 100, 101])
  func `a value that is shown has at most a hundred characters`(count: Int) {
    let text = String(repeating: "é", count: count)
    let shown = CallError.shortened(text)
    #expect(shown == (count <= 100 ? text : String(repeating: "é", count: 100) + "…"))
    #expect(CallError.invalid("model", "is wrong", found: text)["value"] == .string(shown))
  }

  @Test func `a letter and its accent may be parted, but text is never broken`() {
    let text = String(repeating: "a", count: 99) + "e\u{301}"
    #expect(CallError.shortened(text).unicodeScalars.count == 101)
    #expect(CallError.shortened(text).hasSuffix("e…"))
  }

  @Test(arguments: [
    (0, "0"), (100_000_000, "0.1"), (1_000_000_000, "1"), (1_234_567_890, "1.234"), (180_000_000_000, "180"),
  ])
  func `durations read as seconds`(nanoseconds: UInt64, text: String) {
    #expect(CallError.seconds(nanoseconds) == text)
  }
}
