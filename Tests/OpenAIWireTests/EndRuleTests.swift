import ProviderAPI
import Testing

@testable import OpenAIWire

/// PRV-R008: an answer that was cut is never taken for a whole one.
@Suite struct `The end of an answer` {
  /// The bytes up to which the chunk with the finish reason is complete, its empty line included.
  private func endOfFinish(_ data: [String]) throws -> Int {
    let last = try #require(data.firstIndex { $0.contains(#""finish_reason":""#) })
    return Recording.bytes(Array(data[...last])).count
  }

  @Test(arguments: Recording.all)
  func `is seen only behind the finish reason, wherever the stream is cut`(data: [String]) throws {
    let bytes = Recording.bytes(data)
    let end = try endOfFinish(data)
    for length in 0..<bytes.count {
      let answer = Transcript(ofBytes: [bytes[..<length]])
      #expect((answer.end != nil) == (length >= end), "cut after \(length) bytes")
      if length < end { #expect(answer.failure?.code == .network, "cut after \(length) bytes") }
    }
  }

  @Test(arguments: Recording.all)
  func `waits for [DONE] where the dialect wants it`(data: [String]) {
    var dialect = Dialect()
    dialect.requiresDone = true
    let bytes = Recording.bytes(data)
    for length in 0..<bytes.count {
      #expect(Transcript(ofBytes: [bytes[..<length]], in: dialect).end == nil, "cut after \(length) bytes")
    }
    #expect(Transcript(ofBytes: [bytes[...]], in: dialect).end != nil)
  }

  @Test func `does not come from [DONE] alone`() {
    let answer = Transcript(of: [chunk(#"{"content":"a"}"#), "[DONE]"])
    #expect(answer.end == nil)
    #expect(
      answer.failure
        == ProviderError(
          .network, "the upstream's answer stopped before its end: [DONE] came without a finish_reason",
          isRetryable: true))
  }

  @Test func `is refused to a tool call without a name`() {
    let answer = Transcript(of: [chunk(#"{"tool_calls":[{"index":0,"id":"c"}]}"#), finish("tool_calls")])
    #expect(answer.end == nil)
    #expect(answer.failure?.code == .badResponse)
  }
}
