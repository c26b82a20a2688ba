import CProviderABI
import ProviderTesting
import Testing

@testable import Kimi

@Suite struct `Kimi's web search` {
  private static let question = #"{"messages":[{"role":"user","content":"hi"}],"patchbay":{"web_search":true}}"#
  private static let arguments = #"{\"search_result\":{\"search_id\":\"s\"},\"usage\":{\"total_tokens\":5}}"#

  private static func search(_ delta: String = "") -> [String] {
    [
      #"{"model":"kimi-k2.6","choices":[{"index":0,"delta":{"reasoning_content":"Look \"up\""\#(delta)}}]}"#,
      #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"$web_search:0","type":"builtin_function","function":{"name":"$web_search","arguments":""}}]}}]}"#,
      #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\#(arguments)"}}]}}]}"#,
      #"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","usage":{"prompt_tokens":10,"completion_tokens":2}}]}"#,
    ]
  }

  private static let answer = [
    #"{"choices":[{"index":0,"delta":{"content":"42"}}]}"#,
    #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":30,"completion_tokens":4,"cached_tokens":9}}]}"#,
  ]

  @Test func `answers the call with its own arguments and goes on`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open(Self.question)
    #expect(
      kimi.host.exchanges[0].body
        == #"{"model":"kimi-k2.6","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"builtin_function","function":{"name":"$web_search"}}]}"#
    )
    kimi.stream(Self.search())
    #expect(kimi.host.exchanges.count == 2)
    let second = kimi.host.exchanges[1].body
    let echo =
      #"{"role":"assistant","reasoning_content":"Look \"up\"","tool_calls":[{"id":"$web_search:0","type":"builtin_function","function":{"name":"$web_search","arguments":"\#(Self.arguments)"}}]},{"role":"tool","tool_call_id":"$web_search:0","name":"$web_search","content":"\#(Self.arguments)"}"#
    #expect(second.contains(#""messages":[{"role":"user","content":"hi"},\#(echo)]"#))
    #expect(second.contains(#""tools":[{"type":"builtin_function""#))
    kimi.stream(Self.answer)
    #expect(call.text == "42")
    #expect(!call.events.contains { $0.kind == PRV_EVENT_TOOL_CALL || $0.kind == PRV_EVENT_TOOL_ARGUMENTS })
    let annotation = try #require(call.events.first { $0.kind == PRV_EVENT_ANNOTATION })
    #expect(annotation.name == "web_search")
    #expect(annotation.text == #"{"search_result":{"search_id":"s"},"usage":{"total_tokens":5}}"#)
    // The last report counts, so it is the sum.
    #expect(call.events.last { $0.kind == PRV_EVENT_USAGE }?.usage == [40, 6, 9, 0])
    #expect(call.finishReason == "stop")
    #expect(call.events.count { $0.kind == PRV_EVENT_FINISH } == 1)
    #expect(kimi.host.violations == [])
  }

  @Test func `returns text that came before the search`() throws {
    let kimi = try MockChat.kimi()
    let asked = try kimi.open(Self.question)
    defer { kimi.cancel(asked) }
    kimi.stream(Self.search(#","content":"Wait""#))
    #expect(kimi.host.exchanges[1].body.contains(#""content":"Wait","reasoning_content""#))
  }

  @Test func `searches again, a bounded number of times`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open(Self.question)
    for round in 1...WebSearch.roundLimit {
      kimi.stream(Self.search())
      #expect(kimi.host.exchanges.count == round + 1)
    }
    #expect(kimi.host.exchanges.last?.body.components(of: #""role":"tool""#) == WebSearch.roundLimit)
    kimi.stream(Self.search())
    #expect(kimi.host.exchanges.count == WebSearch.roundLimit + 1)
    #expect(call.finishReason == nil)
    #expect(call.dones.map(\.status) == [PRV_E_LIMIT])
  }

  @Test func `ends after the last round that is allowed`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open(Self.question)
    for _ in 1...WebSearch.roundLimit { kimi.stream(Self.search()) }
    kimi.stream(Self.answer)
    #expect(call.finishReason == "stop")
  }

  @Test func `leaves the client's own tools to the client`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open(Self.question)
    kimi.stream([
      #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"s","function":{"name":"$web_search","arguments":"{}"}},{"index":1,"id":"f:1","function":{"name":"f","arguments":"{}"}}]}}]}"#,
      #"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    ])
    #expect(kimi.host.exchanges.count == 1)
    #expect(call.finishReason == "tool_calls")
    let calls = call.events.filter { $0.kind == PRV_EVENT_TOOL_CALL }
    #expect(calls.map(\.name) == ["f"])
    #expect(calls.map(\.index) == [0])
  }

  @Test func `does not happen unless it was asked for`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open()
    #expect(!kimi.host.exchanges[0].body.contains("tools"))
    kimi.stream(Self.search())
    #expect(kimi.host.exchanges.count == 1)
    #expect(call.events.contains { $0.kind == PRV_EVENT_TOOL_CALL && $0.name == "$web_search" })
    #expect(call.finishReason == "tool_calls")
  }

  @Test func `stops when the client leaves`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open(Self.question)
    kimi.stream(Self.search())
    kimi.instance.cancel(call)
    kimi.host.run()
    #expect(kimi.host.exchanges.last?.isAborted == true)
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
  }

  @Test func `that fails on the way reports what was spent until then`() throws {
    let kimi = try MockChat.kimi()
    let call = try kimi.open(Self.question)
    kimi.stream(Self.search())
    kimi.answer(429, #"{"error":{"type":"engine_overloaded_error","message":"busy"}}"#)
    #expect(call.dones.map(\.status) == [PRV_E_OVERLOADED])
    #expect(call.events.last { $0.kind == PRV_EVENT_USAGE }?.usage == [10, 2, 0, 0])
  }
}

extension String {
  /// How often `part` stands in this text.
  fileprivate func components(of part: String) -> Int {
    split(separator: part, omittingEmptySubsequences: false).count - 1
  }
}
