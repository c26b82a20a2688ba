import ProviderAPI
import Testing

@testable import OpenAIWire

@Suite struct `The chunk decoder` {
  @Test func `reads a plain stream`() {
    let answer = Transcript(of: Recording.plain)
    #expect(answer.text == " yo\u{2028}mogrüß 👩‍👩‍👧 data: [DONE]\n")
    #expect(answer.usage == [25, 2, 3, 0])
    #expect(answer.models == ["tiny"])
    #expect(answer.end == .length)
    #expect(answer.failure == nil)
  }

  @Test func `reads reasoning, a tool call in pieces, and usage beside choices`() {
    let answer = Transcript(of: Recording.tools)
    #expect(answer.reasoning == "The user")
    #expect(answer.text == "")
    #expect(answer.calls == [#"call_1 weather {"location":"Florence,Italy"}"#])
    #expect(answer.usage == [173, 93, 172, 65])
    #expect(answer.end == .toolCalls)
  }

  @Test func `reads usage inside the choice`() {
    let answer = Transcript(of: Recording.usageInChoice)
    #expect(answer.usage == [8, 1, 7, 0])
    #expect(answer.end == .stop)
  }

  @Test(arguments: Recording.all)
  func `reads the same wherever the bytes are split`(data: [String]) {
    let bytes = Recording.bytes(data)
    let whole = Transcript(of: data)
    for split in 0...bytes.count {
      #expect(Transcript(ofBytes: [bytes[..<split], bytes[split...]]) == whole, "split at \(split)")
    }
  }

  @Test(arguments: [
    (#"{"reasoning_content":"a"}"#, "a"), (#"{"reasoning":"a"}"#, "a"),
    (#"{"reasoning":"a","reasoning_content":"a"}"#, "a"), (#"{"reasoning_content":"a","reasoning":"a"}"#, "a"),
    (#"{"reasoning_content":null,"reasoning":"a"}"#, "a"), (#"{"reasoning_content":""}"#, ""),
  ])
  func `reads reasoning under both names, once`(delta: String, reasoning: String) {
    #expect(Transcript(of: [chunk(delta), finish("stop")]).reasoning == reasoning)
  }

  @Test func `reads a refusal and content in parts`() {
    let answer = Transcript(of: [
      chunk(#"{"refusal":"No"}"#),
      chunk(#"{"content":[{"type":"text","text":"a"},{"type":"x"},{"type":"text","text":"b"}]}"#),
      finish("content_filter"),
    ])
    #expect(answer.refusal == "No")
    #expect(answer.text == "ab")
    #expect(answer.end == .contentFilter)
  }

  @Test(arguments: [
    ("stop", FinishReason.stop), ("length", .length), ("tool_calls", .toolCalls),
    ("content_filter", .contentFilter), ("eos_token", .other("eos_token")),
  ])
  func `keeps the finish reason`(word: String, reason: FinishReason) {
    #expect(Transcript(of: [finish(word)]).end == reason)
  }

  @Test func `takes an empty finish reason for none`() {
    #expect(Transcript(of: [chunk(#"{"content":"a"}"#), finish("")]).end == nil)
  }

  @Test func `reads the last chunk's delta before its finish reason`() {
    let answer = Transcript(of: [#"{"choices":[{"finish_reason":"stop","delta":{"content":"end"}}]}"#])
    #expect(answer.text == "end")
    #expect(answer.end == .stop)
  }

  @Test func `ignores choices that were not asked for, and chunks without any`() {
    let answer = Transcript(of: [
      #"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}"#, "{}", #"{"choices":null}"#,
      chunk(#"{"content":"a"}"#), finish("stop"),
    ])
    #expect(answer.text == "a")
    #expect(answer.end == .stop)
  }

  @Test func `names each model once`() {
    let answer = Transcript(of: [
      #"{"model":"a","choices":[]}"#, #"{"model":"a","choices":[]}"#, #"{"model":"","choices":[]}"#,
      #"{"model":"b","choices":[]}"#, finish("stop"),
    ])
    #expect(answer.models == ["a", "b"])
  }

  @Test func `hands on the members that the dialect names`() {
    var dialect = Dialect()
    dialect.annotations = ["web_search"]
    let answer = Transcript(
      of: [#"{"web_search":[{"title":"é"}],"other":1,"choices":[]}"#, finish("stop")], in: dialect)
    #expect(answer.annotations == [#"web_search [{"title":"é"}]"#])
  }

  @Test func `keeps the last usage and ignores what counts nothing`() {
    let answer = Transcript(of: [
      #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
      #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":5}}"#,
      #"{"choices":[],"usage":{}}"#, #"{"choices":[],"usage":null}"#,
      #"{"choices":[],"usage":{"prompt_tokens":-1}}"#, finish("stop"),
    ])
    #expect(answer.usage == [1, 5, 0, 0])
  }

  @Test(arguments: ["", "{", "[]", "1", #"{"a":"\ud800"}"#, "[DONE] "])
  func `refuses what is no chunk`(data: String) {
    let answer = Transcript(of: [chunk(#"{"content":"a"}"#), data, finish("stop")])
    #expect(answer.failure?.code == .badResponse)
    #expect(answer.text == "a")
    #expect(answer.end == nil)
  }

  @Test(arguments: [
    #"{"error":{"message":"busy","type":"server_error","code":"x1"}}"#,
    #"{"choices":[],"error":{"message":"busy","code":"x1"}}"#,
    #"{"object":"error","message":"busy","code":"x1"}"#,
  ])
  func `throws the error that stands in the stream`(data: String) {
    let answer = Transcript(of: [chunk(#"{"content":"a"}"#), data, finish("stop"), "[DONE]"])
    #expect(answer.failure?.message == "busy")
    #expect(answer.failure?.providerCode == "x1")
    #expect(answer.text == "a")
    #expect(answer.end == nil)
  }

  @Test func `reads a number in the error's code as the status`() {
    let answer = Transcript(of: [#"{"error":{"message":"slow down","code":429}}"#])
    #expect(answer.failure?.code == .rateLimited)
    #expect(answer.failure?.isRetryable == true)
    #expect(answer.failure?.httpStatus == 429)
  }

  @Test func `takes a finish reason that tells of a failure for no end`() {
    let answer = Transcript(of: [chunk(#"{"content":"a"}"#), finish("error"), "[DONE]"])
    #expect(answer.failure?.code == .upstream)
    #expect(answer.failure?.providerCode == "error")
    #expect(answer.end == nil)
  }

  @Test func `reads an answer that came whole`() throws {
    let body = #"""
      {"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning_content":"Hm",
      "tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],
      "usage":{"prompt_tokens":1,"completion_tokens":2}}
      """#
    var decoder = ChatChunkDecoder(Dialect())
    var bytes = Array(body.utf8)
    try bytes.withUnsafeMutableBytes { try decoder.decodeWhole(UnsafeRawBufferPointer($0)) }
    #expect(decoder.events.count == 5)
    #expect(decoder.usage == TokenUsage(inputTokens: 1, outputTokens: 2))
    #expect(try decoder.end() == .stop)
  }
}

/// A chunk with one delta.
func chunk(_ delta: String) -> String { #"{"choices":[{"index":0,"delta":\#(delta)}]}"# }

/// The last chunk.
func finish(_ word: String) -> String { #"{"choices":[{"index":0,"delta":{},"finish_reason":"\#(word)"}]}"# }
