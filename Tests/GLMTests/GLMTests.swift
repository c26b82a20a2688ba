import CProviderABI
import ProviderAPI
import ProviderTesting
import Testing

@testable import GLM

@Suite struct `The GLM provider` {
  /// A stream of glm-4.7-flash as it was recorded.
  private static let recorded = [
    #"{"id":"20260313","created":1773349533,"object":"chat.completion.chunk","model":"glm-4.7-flash","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"The"}}]}"#,
    #"{"id":"20260313","created":1773349533,"object":"chat.completion.chunk","model":"glm-4.7-flash","choices":[{"index":0,"delta":{"tool_calls":[{"id":"call_1","index":0,"type":"function","function":{"name":"weather","arguments":"{\"location\":\"Florence,Italy\"}"}}]}}]}"#,
    #"{"id":"20260313","created":1773349533,"object":"chat.completion.chunk","model":"glm-4.7-flash","choices":[{"index":0,"finish_reason":"tool_calls","delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":173,"completion_tokens":93,"total_tokens":266,"prompt_tokens_details":{"cached_tokens":172},"completion_tokens_details":{"reasoning_tokens":65}}}"#,
  ]

  @Test func `answers a chat as it was recorded`() throws {
    let glm = try MockChat.glm()
    let call = try glm.open(
      #"{"messages":[{"role":"user","content":"hi"}],"max_tokens":9,"tools":[{"type":"function","function":{"name":"weather"}}]}"#
    )
    let exchange = try #require(glm.host.exchanges.first)
    #expect(exchange.url == "https://api.z.ai/api/paas/v4/chat/completions")
    #expect(exchange.authScheme == "bearer")
    #expect(
      exchange.body
        == #"{"model":"glm-4.6","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}],"max_tokens":9,"tools":[{"type":"function","function":{"name":"weather"}}],"tool_stream":true}"#
    )
    glm.stream(Self.recorded)
    #expect(
      call.events.map(\.kind) == [
        PRV_EVENT_MODEL_USED, PRV_EVENT_REASONING, PRV_EVENT_TOOL_CALL, PRV_EVENT_TOOL_ARGUMENTS, PRV_EVENT_USAGE,
        PRV_EVENT_FINISH,
      ])
    #expect(call.events[0].name == "glm-4.7-flash")
    #expect(call.events[2].id == "call_1")
    #expect(call.events[3].text == #"{"location":"Florence,Italy"}"#)
    #expect(call.events[4].usage == [173, 93, 172, 65])
    #expect(call.finishReason == "tool_calls")
    #expect(glm.host.violations == [])
  }

  @Test(arguments: [
    (nil, "https://api.z.ai/api/paas/v4/chat/completions"),
    ("https://open.bigmodel.cn/api/paas/v4/", "https://open.bigmodel.cn/api/paas/v4/chat/completions"),
    ("https://open.bigmodel.cn", "https://open.bigmodel.cn/api/paas/v4/chat/completions"),
    ("https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/coding/paas/v4/chat/completions"),
  ])
  func `has a path without v1`(base: String?, url: String) throws {
    let glm = try MockChat.glm(base.map { #"{"has_key":true,"base_url":"\#($0)"}"# } ?? #"{"has_key":true}"#)
    let asked = try glm.open()
    defer { glm.cancel(asked) }
    #expect(glm.host.exchanges[0].url == url)
  }

  // MARK: - Ends

  @Test(arguments: [
    ("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"), ("sensitive", "content_filter"),
  ])
  func `translates the finish reason`(word: String, reason: String) throws {
    let glm = try MockChat.glm()
    let call = try glm.open()
    glm.stream([#"{"choices":[{"index":0,"finish_reason":"\#(word)","delta":{"content":"a"}}]}"#])
    #expect(call.text == "a")
    #expect(call.finishReason == reason)
  }

  @Test(arguments: ["network_error", "error"])
  func `takes a failure for no end, and keeps what came with it`(word: String) throws {
    let glm = try MockChat.glm()
    let call = try glm.open()
    glm.stream([#"{"choices":[{"index":0,"finish_reason":"\#(word)","delta":{"content":"a"}}]}"#])
    #expect(call.text == "a")
    #expect(call.finishReason == nil)
    #expect(call.dones[0].status == (word == "error" ? PRV_E_UPSTREAM : PRV_E_NETWORK))
    #expect(call.dones[0].retryable == PRV_RETRY_YES)
    #expect(call.dones[0].providerCode == word)
  }

  @Test func `does not finish an answer that was cut`() throws {
    for length in 0..<Self.recorded.count {
      let glm = try MockChat.glm()
      let call = try glm.open()
      glm.stream(Array(Self.recorded[..<length]), isCut: true)
      #expect(call.finishReason == nil)
      #expect(call.dones.map(\.status) == [PRV_E_NETWORK])
    }
  }

  // MARK: - Boxes

  @Test func `removes boxes also when they are split between chunks`() throws {
    let text = "It is <|begin_of_box|>42<|end_of_box|>!"
    for split in 0...text.count {
      let glm = try MockChat.glm()
      let call = try glm.open()
      glm.stream([
        #"{"choices":[{"index":0,"delta":{"content":"\#(text.prefix(split))"}}]}"#,
        #"{"choices":[{"index":0,"delta":{"content":"\#(text.dropFirst(split))"}}]}"#,
        #"{"choices":[{"index":0,"finish_reason":"stop","delta":{}}]}"#,
      ])
      #expect(call.text == "It is 42!", "split at \(split)")
    }
  }

  // MARK: - What it sends

  @Test(arguments: [
    ("glm-4.6", "minimal", #""thinking":{"type":"disabled"}"#), ("glm-4.6", "low", #""thinking":{"type":"enabled"}"#),
    ("glm-4.6", "max", #""thinking":{"type":"enabled"}"#), ("glm-5.3", "minimal", #""reasoning_effort":"low""#),
    ("glm-5.3-flash", "medium", #""reasoning_effort":"high""#), ("glm-5.3", "max", #""reasoning_effort":"max""#),
  ])
  func `asks for thinking as the model takes it`(model: String, level: String, expected: String) throws {
    let glm = try MockChat.glm()
    let asked = try glm.open(#"{"messages":[],"patchbay":{"thinking":"\#(level)"}}"#, model: model)
    defer { glm.cancel(asked) }
    #expect(glm.host.exchanges[0].body.hasSuffix(",\(expected)}"))
  }

  @Test func `searches the web with its own tool, and hands the results on`() throws {
    let glm = try MockChat.glm(#"{"has_key":true,"search_engine":"search_\"x"}"#)
    let call = try glm.open(#"{"messages":[],"patchbay":{"web_search":true}}"#)
    #expect(
      glm.host.exchanges[0].body.hasSuffix(
        #","tools":[{"type":"web_search","web_search":{"search_engine":"search_\"x","search_result":true}}],"tool_stream":true}"#
      ))
    glm.stream([
      #"{"choices":[{"index":0,"finish_reason":"stop","delta":{"content":"a"}}],"web_search":[{"title":"t"}]}"#
    ])
    #expect(call.events.filter { $0.kind == PRV_EVENT_ANNOTATION }.map(\.text) == [#"[{"title":"t"}]"#])
    #expect(call.finishReason == "stop")
  }

  @Test func `moves sampling into its open ranges, and knows no tool choice but auto`() throws {
    let glm = try MockChat.glm()
    let asked = try glm.open(#"{"messages":[],"temperature":1,"top_p":0}"#)
    defer { glm.cancel(asked) }
    #expect(glm.host.exchanges[0].body.contains(#""temperature":0.99,"top_p":0.01"#))
    let call = try glm.open(#"{"messages":[],"tools":[{}],"tool_choice":"required"}"#)
    glm.host.run()
    #expect(call.dones.map(\.status) == [PRV_E_UNSUPPORTED])
  }

  @Test(arguments: [#"{"search_engine":""}"#, #"{"search_engine":7}"#, #"{"base_url":"x"}"#])
  func `refuses settings that cannot be`(settings: String) {
    let failure = #expect(throws: MockFailure.self) { try MockChat.glm(settings) }
    #expect(failure?.status == PRV_E_INVALID_ARGUMENT)
  }

  // MARK: - Errors

  private static let codes: [(String, Int32, UInt32)] =
    ["1000", "1001", "1002", "1003", "1004"].map { ($0, PRV_E_AUTH, PRV_RETRY_NO) }
    + ["1110", "1111", "1112", "1120", "1121", "1220", "1313"].map { ($0, PRV_E_PERMISSION, PRV_RETRY_NO) }
    + ["1113", "1309", "1311"].map { ($0, PRV_E_QUOTA, PRV_RETRY_NO) }
    + ["1210", "1212", "1213", "1214", "1215"].map { ($0, PRV_E_BAD_REQUEST, PRV_RETRY_NO) }
    + ["1221", "1222"].map { ($0, PRV_E_NOT_FOUND, PRV_RETRY_NO) }
    + ["1300", "1301"].map { ($0, PRV_E_CONTENT_FILTER, PRV_RETRY_NO) }
    + ["1303", "1305"].map { ($0, PRV_E_RATE_LIMITED, PRV_RETRY_YES) }
    + ["1304", "1308", "1310"].map { ($0, PRV_E_RATE_LIMITED, PRV_RETRY_NO) }
    + [
      ("1211", PRV_E_MODEL_NOT_FOUND, PRV_RETRY_NO), ("1230", PRV_E_UPSTREAM, PRV_RETRY_YES),
      ("1231", PRV_E_BAD_REQUEST, PRV_RETRY_YES), ("1234", PRV_E_NETWORK, PRV_RETRY_YES),
      ("1261", PRV_E_CONTEXT_LENGTH, PRV_RETRY_NO), ("1302", PRV_E_CONCURRENCY, PRV_RETRY_YES),
      ("1312", PRV_E_OVERLOADED, PRV_RETRY_YES),
    ]

  @Test(arguments: codes)
  func `reads its codes, as a status and in a stream`(code: String, status: Int32, retryable: UInt32) throws {
    let body = #"{"error":{"code":"\#(code)","message":"m"}}"#
    let refused = try MockChat.glm()
    let first = try refused.open()
    refused.answer(429, body)
    let streamed = try MockChat.glm()
    let second = try streamed.open()
    streamed.stream([body])
    for done in [first.dones[0], second.dones[0]] {
      #expect(done.status == status)
      #expect(done.retryable == retryable)
      #expect(done.providerCode == code)
      #expect(done.message == "m")
    }
    #expect(first.dones[0].httpStatus == 429)
  }

  @Test(arguments: [(434, PRV_E_PERMISSION), (435, PRV_E_BAD_REQUEST)] as [(UInt32, Int32)])
  func `reads its own HTTP statuses`(http: UInt32, status: Int32) throws {
    let glm = try MockChat.glm()
    let call = try glm.open()
    glm.answer(http, "")
    #expect(call.dones.map(\.status) == [status])
  }

  @Test func `has a catalogue without a name that means two models`() {
    let names = GLM.descriptor.models.flatMap { [$0.id] + $0.aliases }
    #expect(Set(names).count == names.count)
    #expect(GLM.descriptor.temperatureMax == 1)
  }
}
