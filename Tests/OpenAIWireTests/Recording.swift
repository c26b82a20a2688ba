import ProviderAPI

@testable import OpenAIWire

/// What a decoder said about a stream, in an order and in pieces that do not depend on how the bytes arrived.
struct Transcript: Equatable, CustomStringConvertible {
  var text = ""
  var reasoning = ""
  var refusal = ""
  var calls: [String] = []
  var models: [String] = []
  var annotations: [String] = []
  var usage: [UInt64] = []
  var end: FinishReason?
  var failure: ProviderError?

  var description: String {
    "text=\(text) reasoning=\(reasoning) refusal=\(refusal) calls=\(calls) models=\(models) "
      + "annotations=\(annotations) usage=\(usage) end=\(String(describing: end)) "
      + "failure=\(String(describing: failure))"
  }

  /// The transcript of events' data, one after the other.
  init(of data: [String], in dialect: Dialect = Dialect()) {
    var decoder = ChatChunkDecoder(dialect)
    do throws(ProviderError) {
      for piece in data { try take(piece, &decoder) }
      let reason = try decoder.end()
      note(decoder)
      end = reason
    } catch {
      note(decoder)
      failure = error
    }
    usage =
      decoder.usage.map {
        [$0.inputTokens, $0.outputTokens, $0.cachedInputTokens, $0.reasoningTokens]
      } ?? []
  }

  /// The transcript of a byte stream, received in the given pieces.
  init(ofBytes pieces: [ArraySlice<UInt8>], in dialect: Dialect = Dialect()) {
    var events = EventLines()
    for piece in pieces { events.feed(piece) }
    self.init(of: events.data, in: dialect)
  }

  private mutating func take(_ piece: String, _ decoder: inout ChatChunkDecoder) throws(ProviderError) {
    var piece = Array(piece.utf8)
    let failure: ProviderError? = piece.withUnsafeMutableBytes { bytes in
      do throws(ProviderError) {
        try decoder.decode(UnsafeRawBufferPointer(bytes))
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
    note(decoder)
  }

  private mutating func note(_ decoder: borrowing ChatChunkDecoder) {
    for event in decoder.events {
      func string(_ range: Range<Int>) -> String { String(decoding: decoder.bytes(range), as: UTF8.self) }
      switch event {
      case .text(let range): text += string(range)
      case .reasoning(let range): reasoning += string(range)
      case .refusal(let range): refusal += string(range)
      case .toolCall(let index, let id, let name):
        precondition(index == calls.count, "tool call \(index) after \(calls.count)")
        calls.append("\(id) \(name) ")
      case .toolArguments(let index, let range): calls[index] += string(range)
      case .modelUsed(let model): models.append(model)
      case .annotation(let name, let range): annotations.append("\(name) \(string(range))")
      }
    }
  }
}

/// Cuts a byte stream into the data of its events: as much of WHATWG HTML §9.2.6 as the recordings use.
struct EventLines {
  private(set) var data: [String] = []
  private var line: [UInt8] = []
  private var pending: [String] = []

  mutating func feed(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      guard byte == 0x0A else {
        line.append(byte)
        continue
      }
      let text = String(decoding: line, as: UTF8.self)
      line = []
      if text.isEmpty {
        if !pending.isEmpty { data.append(pending.joined(separator: "\n")) }
        pending = []
      } else if text.hasPrefix("data: ") {
        pending.append(String(text.dropFirst(6)))
      }
    }
  }
}

/// Streams as servers were seen to send them.
enum Recording {
  static func bytes(_ data: [String]) -> [UInt8] { data.flatMap { Array("data: \($0)\n\n".utf8) } }

  /// llama.cpp: content null first, usage in a chunk without choices, characters of all lengths.
  static let plain = [
    #"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1,"id":"c","model":"tiny","object":"chat.completion.chunk"}"#,
    #"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" yo\u2028mo"}}],"model":"tiny"}"#,
    #"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"grüß 👩‍👩‍👧 data: [DONE]\n"}}],"model":"tiny"}"#,
    #"{"choices":[{"finish_reason":"length","index":0,"delta":{}}],"model":"tiny"}"#,
    #"{"choices":[],"model":"tiny","usage":{"completion_tokens":2,"prompt_tokens":25,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":3}},"timings":{"a":1}}"#,
    "[DONE]",
  ]

  /// GLM: no finish_reason before the last chunk, a role in each, usage beside choices, tool arguments in pieces.
  static let tools = [
    #"{"id":"20260313","created":1773349533,"object":"chat.completion.chunk","model":"glm-4.7-flash","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"The"}}]}"#,
    #"{"id":"20260313","created":1773349533,"object":"chat.completion.chunk","model":"glm-4.7-flash","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":" user"}}]}"#,
    #"{"id":"20260313","model":"glm-4.7-flash","choices":[{"index":0,"delta":{"tool_calls":[{"id":"call_1","index":0,"type":"function","function":{"name":"weather","arguments":"{\"location\":"}}]}}]}"#,
    #"{"id":"20260313","model":"glm-4.7-flash","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Florence,Italy\"}"}}]}}]}"#,
    #"{"id":"20260313","model":"glm-4.7-flash","choices":[{"index":0,"finish_reason":"tool_calls","delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":173,"completion_tokens":93,"total_tokens":266,"prompt_tokens_details":{"cached_tokens":172},"completion_tokens_details":{"reasoning_tokens":65}}}"#,
    "[DONE]",
  ]

  /// Older Kimi: usage inside the last choice.
  static let usageInChoice = [
    #"{"id":"k","object":"chat.completion.chunk","model":"kimi-k2","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
    #"{"id":"k","model":"kimi-k2","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#,
    #"{"id":"k","model":"kimi-k2","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9,"cached_tokens":7}}]}"#,
    "[DONE]",
  ]

  static let all = [plain, tools, usageInChoice]
}
