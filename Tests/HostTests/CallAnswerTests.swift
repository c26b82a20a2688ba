import Testing

@testable import Host

extension CallAnswer {
  /// Hands an event made of texts over.
  fileprivate mutating func take(
    _ kind: ProviderEvent.Kind, index: UInt32 = 0, text: String = "", id: String = "", name: String = "",
    usage: TokenUsage? = nil
  ) -> Effect {
    let (text, id, name) = (Array(text.utf8), Array(id.utf8), Array(name.utf8))
    return text.withUnsafeBytes { text in
      id.withUnsafeBytes { id in
        name.withUnsafeBytes { name in
          take(ProviderEvent(kind: kind, index: index, text: text, id: id, name: name, usage: usage))
        }
      }
    }
  }

  /// Hands a text of `count` bytes over.
  fileprivate mutating func take(_ kind: ProviderEvent.Kind, bytes count: Int) -> Effect {
    [UInt8](repeating: 0x61, count: count).withUnsafeBytes { take(ProviderEvent(kind: kind, text: $0)) }
  }
}

private let tooLarge = CallAnswer.Effect.refused("an answer of more than 16777216 bytes")

struct CallAnswerTests {
  @Test func `text, refusals and reasoning are joined, each to its own`() {
    var answer = CallAnswer()
    var hasContent = answer.hasContent
    #expect(!hasContent)
    #expect(answer.take(.reasoning, text: "so") == .delta)
    hasContent = answer.hasContent
    #expect(hasContent)
    #expect(answer.take(.text, text: "Hel") == .delta)
    #expect(answer.take(.refusal, text: "lo") == .delta)
    #expect(answer.text.string() == "Hello")
    #expect(answer.reasoning.string() == "so")
  }

  @Test func `empty pieces, models and annotations are no progress`() {
    var answer = CallAnswer()
    #expect(answer.take(.text) == .ignored)
    #expect(answer.take(.reasoning) == .ignored)
    #expect(answer.take(.model, text: "{}") == .ignored)
    #expect(answer.take(.annotation, text: "x") == .ignored)
    let hasContent = answer.hasContent
    #expect(!hasContent)
  }

  @Test func `tool calls begin in their order, and arguments go to the one they name`() {
    var answer = CallAnswer()
    #expect(answer.take(.toolCall, index: 0, id: "a", name: "look") == .delta)
    #expect(answer.take(.toolCall, index: 1, id: "b", name: "find") == .delta)
    #expect(answer.take(.toolArguments, index: 1, text: "{\"x\"") == .delta)
    #expect(answer.take(.toolArguments, index: 0, text: "{}") == .delta)
    #expect(answer.take(.toolArguments, index: 1, text: ":1}") == .delta)
    #expect(answer.take(.toolArguments, index: 0) == .ignored)
    #expect(answer.toolCalls.map(\.name) == ["look", "find"])
    #expect(answer.toolCalls.map(\.id) == ["a", "b"])
    #expect(answer.toolCalls.map(\.arguments) == ["{}", "{\"x\":1}"])
  }

  @Test func `a tool call out of order is refused with both numbers`() {
    var answer = CallAnswer()
    #expect(answer.take(.toolCall, index: 1) == .refused("tool call number 1, expected 0"))
    #expect(answer.take(.toolCall, index: 0) == .delta)
    #expect(answer.take(.toolCall, index: 0) == .refused("tool call number 0, expected 1"))
    #expect(answer.take(.toolCall, index: .max) == .refused("tool call number 4294967295, expected 1"))
    #expect(
      answer.take(.toolArguments, index: 1, text: "{") == .refused("arguments for tool call 1, which was not begun"))
  }

  @Test func `an answer has 128 tool calls and no more`() {
    var answer = CallAnswer()
    for index in 0..<128 as Range<UInt32> { #expect(answer.take(.toolCall, index: index) == .delta) }
    #expect(answer.take(.toolCall, index: 128) == .refused("tool call number 128, expected 128"))
    #expect(answer.toolCalls.count == 128)
  }

  @Test func `after the finish only usage and the model are noted`() {
    var answer = CallAnswer()
    #expect(answer.take(.toolCall, index: 0) == .delta)
    #expect(answer.take(.finish, name: "stop") == .noted)
    #expect(answer.finishReason == "stop")
    #expect(answer.take(.text, text: "x") == .refused("text after the finish reason"))
    #expect(answer.take(.refusal, text: "x") == .refused("text after the finish reason"))
    #expect(answer.take(.reasoning, text: "x") == .refused("reasoning after the finish reason"))
    #expect(answer.take(.toolCall, index: 1) == .refused("a tool call after the finish reason"))
    #expect(answer.take(.toolArguments, text: "x") == .refused("tool arguments after the finish reason"))
    #expect(answer.take(.finish, name: "length") == .refused("a second finish reason"))
    let usage = TokenUsage(inputTokens: 7, outputTokens: 3)
    #expect(answer.take(.usage, usage: usage) == .noted)
    #expect(answer.take(.usage) == .noted)
    #expect(answer.take(.modelUsed, name: "m-1") == .noted)
    #expect(answer.usage == usage)
    #expect(answer.modelUsed == "m-1")
    #expect(answer.finishReason == "stop")
  }

  @Test(arguments: [ProviderEvent.Kind.text, .reasoning])
  func `an answer may have its bytes and not one more`(kind: ProviderEvent.Kind) {
    var answer = CallAnswer()
    #expect(answer.take(kind, bytes: CallAnswer.bytesLimit + 1) == tooLarge)
    #expect(answer.take(kind, bytes: CallAnswer.bytesLimit - 1) == .delta)
    #expect(answer.take(.text, bytes: 1) == .delta)
    #expect(answer.take(.text, bytes: 1) == tooLarge)
    #expect(answer.take(.reasoning, bytes: 1) == tooLarge)
  }

  @Test func `text, reasoning and tool calls count together`() {
    var answer = CallAnswer()
    #expect(answer.take(.toolCall, index: 0, id: "ab", name: "cd") == .delta)
    #expect(answer.take(.toolArguments, bytes: 6) == .delta)
    #expect(answer.take(.reasoning, bytes: 10) == .delta)
    #expect(answer.take(.text, bytes: CallAnswer.bytesLimit - 20) == .delta)
    #expect(answer.take(.toolArguments, bytes: 1) == tooLarge)
    #expect(answer.take(.toolCall, index: 1, id: "a") == tooLarge)
    #expect(answer.take(.toolCall, index: 1) == .delta)
  }

  @Test func `a finish reason and a model's name are cut to what a frame can carry`() {
    var answer = CallAnswer()
    #expect(answer.take(.finish, name: String(repeating: "f", count: 101)) == .noted)
    #expect(answer.take(.modelUsed, name: String(repeating: "m", count: 201)) == .noted)
    #expect(answer.finishReason?.utf8.count == 100)
    #expect(answer.modelUsed?.utf8.count == 200)
  }
}
