internal import JSON
internal import ProviderTesting

/// Draws requests that the contract allows (prv.chat/1): the host has checked shapes and bounds of what it hands on.
struct RequestGenerator {
  private var generator: SeededGenerator
  /// The text of the last message, for the test to look for.
  private(set) var lastWords = ""

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  private static let words = [
    "plain", "with \"quotes\"", "back\\slash", "tab\tand\nline", "Grüße", "日本語", "😀 emoji", "null\u{0}byte",
    "</script>",
    "{\"json\":[1]}", "\u{7F}", "e\u{301}", "\u{2028}", "100%s",
  ]

  mutating func body(tools: Bool) -> String {
    var members: [JSONValue.Member] = []
    var messages: [JSONValue] = []
    if generator.below(2) == 0 { messages.append(message("system", text())) }
    for _ in 0..<generator.below(6) {
      messages.append(message("user", text()))
      messages.append(message("assistant", text()))
    }
    lastWords = text()
    messages.append(message("user", lastWords, asParts: generator.below(3) == 0))
    members.append(.init("messages", .array(messages)))
    if generator.below(2) == 0 { members.append(.init("temperature", parsed("0.\(1 + generator.below(9))"))) }
    if generator.below(2) == 0 { members.append(.init("max_tokens", parsed("\(1 + generator.below(4096))"))) }
    if generator.below(3) == 0 { members.append(.init("stop", .array([.string("END")]))) }
    if tools, generator.below(3) == 0 {
      members.append(
        .init("tools", parsed(#"[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#)))
    }
    if generator.below(4) == 0 { members.append(.init("patchbay", parsed(#"{"session":"abc-123"}"#))) }
    return JSONValue.object(members).text
  }

  private mutating func text() -> String {
    let count = generator.below(4) == 0 ? 200 + generator.below(800) : 1 + generator.below(6)
    return (0..<count).map { _ in Self.words[generator.below(Self.words.count)] }.joined(separator: " ")
  }

  private func parsed(_ json: String) -> JSONValue { (try? JSONValue(parsing: json)) ?? .null }

  private func message(_ role: String, _ text: String, asParts: Bool = false) -> JSONValue {
    let content: JSONValue =
      asParts ? .array([.object([.init("type", .string("text")), .init("text", .string(text))])]) : .string(text)
    return .object([.init("role", .string(role)), .init("content", content)])
  }
}
