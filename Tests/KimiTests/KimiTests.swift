import CProviderABI
import ProviderAPI
import ProviderTesting
import Testing

@testable import Kimi

@Suite struct `The Kimi provider` {
  @Test func `answers a chat as it was recorded`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open()
    let exchange = try #require(kimi.host.exchanges.first)
    #expect(exchange.method == "POST")
    #expect(exchange.url == "https://api.moonshot.ai/v1/chat/completions")
    #expect(exchange.authReference == "api_key")
    #expect(exchange.authScheme == "bearer")
    #expect(exchange.wantsEvents)
    #expect(
      exchange.body
        == #"{"model":"kimi-k2.6","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#
    )
    kimi.stream([
      #"{"id":"k","object":"chat.completion.chunk","model":"kimi-k2.6","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
      #"{"id":"k","model":"kimi-k2.6","choices":[{"index":0,"delta":{"reasoning_content":"Hm"},"finish_reason":null}]}"#,
      #"{"id":"k","model":"kimi-k2.6","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}"#,
      #"{"id":"k","model":"kimi-k2.6","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}"#,
      #"{"id":"k","model":"kimi-k2.6","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":8,"completion_tokens":3,"total_tokens":11,"cached_tokens":7}}]}"#,
    ])
    #expect(
      call.events.map(\.kind) == [
        PRV_EVENT_MODEL_USED, PRV_EVENT_REASONING, PRV_EVENT_TEXT, PRV_EVENT_TEXT, PRV_EVENT_USAGE, PRV_EVENT_FINISH,
      ])
    #expect(call.text == "Hello")
    #expect(call.events[1].text == "Hm")
    #expect(call.events[4].usage == [8, 3, 7, 0])
    #expect(call.finishReason == "stop")
    #expect(call.dones.map(\.status) == [PRV_OK])
    #expect(kimi.host.violations == [])
  }

  @Test func `does not finish an answer that was cut`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open()
    kimi.stream([#"{"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}"#], isCut: true)
    #expect(call.text == "Hel")
    #expect(call.finishReason == nil)
    #expect(call.dones.map(\.status) == [PRV_E_NETWORK])
  }

  @Test(arguments: ["stop", "length", "tool_calls", "content_filter"])
  func `keeps the finish reason`(reason: String) throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open()
    kimi.stream([#"{"choices":[{"index":0,"delta":{},"finish_reason":"\#(reason)"}]}"#])
    #expect(call.finishReason == reason)
  }

  // MARK: - What it sends

  @Test(arguments: [
    ("kimi-k2.6", false), ("kimi-k2.5", false), ("kimi-k3", false), ("kimi-k2.7-code", false), ("k3-256k", false),
    ("kimi-for-coding", false), ("moonshot-v1-8k", true), ("kimi-k2-0905-preview", true), ("kimi-latest", true),
  ])
  func `sends no sampling to models that fix it`(model: String, isSent: Bool) throws {
    let kimi = try MockChat.kimi()
    let asked = try kimi.open(#"{"messages":[],"temperature":0.3,"top_p":0.5}"#, model: model)
    defer { kimi.cancel(asked) }
    #expect(kimi.host.exchanges[0].body.contains(#""temperature":0.3,"top_p":0.5"#) == isSent)
    #expect(kimi.host.exchanges[0].body.contains("temperature") == isSent)
  }

  @Test(arguments: [
    ("kimi-k2.6", "minimal", #""thinking":{"type":"disabled"}"#),
    ("kimi-k2.6", "low", #""thinking":{"type":"enabled"}"#),
    ("kimi-k3", "minimal", #""reasoning_effort":"low""#), ("kimi-k3", "low", #""reasoning_effort":"low""#),
    ("kimi-k3", "medium", #""reasoning_effort":"high""#), ("kimi-k3", "high", #""reasoning_effort":"high""#),
    ("k3", "max", #""reasoning_effort":"max""#), ("kimi-k2.7-code", "high", nil), ("moonshot-v1-8k", "high", nil),
  ])
  func `asks for thinking as the model takes it`(model: String, level: String, expected: String?) throws {
    let kimi = try MockChat.kimi()
    let asked = try kimi.open(#"{"messages":[],"patchbay":{"thinking":"\#(level)"}}"#, model: model)
    defer { kimi.cancel(asked) }
    let body = kimi.host.exchanges[0].body
    if let expected { #expect(body.contains(expected)) }
    #expect((body.contains("thinking") || body.contains("reasoning_effort")) == (expected != nil))
  }

  @Test func `returns reasoning unmodified, renames the bound, and keeps the session for the cache`() throws {
    let kimi = try MockChat.kimi()
    let turn =
      #"{"role":"assistant","reasoning_content":" a\u0062 ","tool_calls":[{"id":"f:0","type":"function","function":{"name":"f","arguments":"{}"}}]}"#
    let asked = try kimi.open(
      #"{"messages":[{"role":"developer","content":"d"},{"content":"",\#(turn.dropFirst())],"max_tokens":9,"patchbay":{"session":"s1"}}"#
    )
    defer { kimi.cancel(asked) }
    #expect(
      kimi.host.exchanges[0].body
        == #"{"model":"kimi-k2.6","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"d"},\#(turn)],"max_completion_tokens":9,"prompt_cache_key":"s1"}"#
    )
  }

  // MARK: - Regions

  @Test(arguments: [
    ("https://api.moonshot.ai/v1", "https://api.moonshot.cn/v1"),
    ("https://api.moonshot.cn", "https://api.moonshot.ai/v1"),
  ])
  func `says that a refused key may belong to the other region`(base: String, other: String) throws {
    let kimi = try MockChat.kimi(#"{"has_key":true,"base_url":"\#(base)"}"#)
    let call = try kimi.open()
    #expect(kimi.host.exchanges[0].url.hasSuffix("/v1/chat/completions"))
    kimi.answer(401, #"{"error":{"message":"Invalid Authentication","type":"invalid_authentication_error"}}"#)
    #expect(call.dones.map(\.status) == [PRV_E_AUTH])
    #expect(call.dones[0].message.hasPrefix("Invalid Authentication ("))
    #expect(call.dones[0].message.contains(other))
  }

  @Test func `says nothing of regions elsewhere`() throws {
    let kimi = try MockChat.kimi(#"{"has_key":true,"base_url":"https://api.kimi.com/coding/v1"}"#)
    let call = try kimi.open()
    #expect(kimi.host.exchanges[0].url == "https://api.kimi.com/coding/v1/chat/completions")
    kimi.answer(401, "")
    #expect(call.dones.map(\.status) == [PRV_E_AUTH])
    #expect(!call.dones[0].message.contains("region"))
  }

  // MARK: - Errors

  @Test(
    arguments: [
      (
        400, "content_filter", "The request was rejected because it was considered high risk", PRV_E_CONTENT_FILTER,
        PRV_RETRY_NO
      ),
      (
        400, "invalid_request_error", "Invalid request: Your request exceeded model token limit: 8192",
        PRV_E_CONTEXT_LENGTH, PRV_RETRY_NO
      ),
      (400, "invalid_request_error", "Input validation error", PRV_E_BAD_REQUEST, PRV_RETRY_NO),
      (401, "incorrect_api_key_error", "Incorrect API key provided", PRV_E_AUTH, PRV_RETRY_NO),
      (401, "invalid_request_error", "no such key", PRV_E_AUTH, PRV_RETRY_NO),
      (403, "permission_denied_error", "no", PRV_E_PERMISSION, PRV_RETRY_NO),
      (
        404, "resource_not_found_error", "Not found the model x or Permission denied", PRV_E_MODEL_NOT_FOUND,
        PRV_RETRY_NO
      ),
      (429, "exceeded_current_quota_error", "check your plan and billing details", PRV_E_QUOTA, PRV_RETRY_NO),
      (
        429, "rate_limit_reached_error", "request reached max organization concurrency: 1", PRV_E_CONCURRENCY,
        PRV_RETRY_YES
      ),
      (429, "rate_limit_reached_error", "request reached organization max RPM: 3", PRV_E_RATE_LIMITED, PRV_RETRY_YES),
      (
        429, "rate_limit_reached_error", "request reached organization TPM rate limit", PRV_E_RATE_LIMITED,
        PRV_RETRY_YES
      ),
      (
        429, "rate_limit_reached_error", "request reached organization TPD rate limit", PRV_E_RATE_LIMITED, PRV_RETRY_NO
      ),
      (429, "engine_overloaded_error", "The engine is currently overloaded", PRV_E_OVERLOADED, PRV_RETRY_YES),
      (499, "client_closed_request", "gone", PRV_E_NETWORK, PRV_RETRY_NO),
      (500, "server_error", "oops", PRV_E_UPSTREAM, PRV_RETRY_YES),
    ] as [(UInt32, String, String, Int32, UInt32)])
  func `reads its error types`(
    http: UInt32, type: String, message: String, status: Int32, retryable: UInt32
  ) throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open()
    kimi.answer(
      http, #"{"error":{"type":"\#(type)","message":"\#(message)"}}"#,
      headers: [("Content-Type", "application/json"), ("Retry-After", "2"), ("X-Trace-Id", "t1")])
    let done = try #require(call.dones.first)
    #expect(done.status == status)
    #expect(done.httpStatus == http)
    #expect(done.retryable == retryable)
    #expect(done.providerCode == type)
    #expect(done.message.hasPrefix(message))
    #expect(done.retryAfterNanoseconds == 2_000_000_000)
    #expect(done.requestID == "t1")
    #expect(call.events == [])
  }

  @Test func `reads an error inside a stream, and keeps what came before`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open()
    kimi.stream([
      #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
      #"{"error":{"type":"engine_overloaded_error","message":"busy"}}"#,
    ])
    #expect(call.text == "a")
    #expect(call.finishReason == nil)
    #expect(call.dones.map(\.status) == [PRV_E_OVERLOADED])
  }

  // MARK: - Catalogue

  @Test func `merges what the upstream lists with what it knows`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.instance.open(PRV_CALL_MODELS)
    #expect(kimi.host.exchanges[0].method == "GET")
    #expect(kimi.host.exchanges[0].url == "https://api.moonshot.ai/v1/models")
    kimi.answer(200, #"{"object":"list","data":[{"id":"kimi-k2.6","context_length":262144},{"id":"new"}]}"#)
    #expect(
      call.events.map(\.text) == [
        #"{"id":"kimi-k2.6","aliases":["kimi"],"context_tokens":262144,"output_tokens":32768,"capabilities":["tools","images","thinking","web_search"]}"#,
        #"{"id":"new"}"#, "",
      ])
    #expect(call.dones.map(\.status) == [PRV_OK])
  }

  @Test func `has a catalogue without a name that means two models`() {
    let names = Kimi.descriptor.models.flatMap { [$0.id] + $0.aliases }
    #expect(Set(names).count == names.count)
    #expect(names.contains("kimi-k2"))
    #expect(Kimi.descriptor.temperatureMax == 1)
  }

  @Test func `is not healthy when its key is refused`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.instance.open(PRV_CALL_HEALTH)
    kimi.answer(401, #"{"error":{"type":"invalid_authentication_error","message":"m"}}"#)
    #expect(call.dones.map(\.status) == [PRV_E_AUTH])
  }
}
