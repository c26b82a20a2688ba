import JSON

/// The arguments of the `chat` tool, checked before anything runs: every name, type and bound is here.
///
/// What is borrowed points into the frame; it is valid while the frame is handled.
struct ChatArguments {
  private(set) var prompt: JSONView?
  private(set) var messages: JSONView?
  private(set) var model: JSONView?
  private(set) var system: JSONView?
  private(set) var temperature: Double?
  private(set) var maximumTokens: Int64?
  private(set) var thinkingMode: StaticString?
  private(set) var webSearch = false
  private(set) var wantsStream = false
  private(set) var images: JSONView?
  /// Nanoseconds; nil: the configured total.
  private(set) var timeoutNanoseconds: UInt64?
  private(set) var tools: JSONView?
  private(set) var toolChoice: JSONView?
  /// Refuse the call when the same runs under another id.
  private(set) var refusesDuplicates = false

  /// The bounds, in one place. Characters are Unicode scalars.
  enum Bounds {
    static let modelCharacters = 1...100
    static let promptCharacters = 1...100_000
    static let maximumTokens: ClosedRange<Int64> = 1...1_000_000
    static let timeoutSeconds = 0.1...3600
    static let messages = 1...2_000
    static let images = 16
    static let thinkingModes: [StaticString] = ["minimal", "low", "medium", "high", "max"]
  }

  /// Every argument of `chat`, for `additionalProperties: false` and for the tool's schema.
  static let names = [
    "prompt", "messages", "model", "system", "temperature", "max_tokens", "thinking_mode", "use_websearch", "stream",
    "images", "timeout", "tools", "tool_choice", "files", "continuation_id", "dedupe",
  ]

  init(_ arguments: JSONView) throws(CallError) {
    for (key, value) in arguments.members() {
      if value.isNull { continue }
      if key.equals("prompt") {
        prompt = try Self.prompt(value)
      } else if key.equals("messages") {
        messages = try Self.messages(value)
      } else if key.equals("model") {
        model = try Self.text(value, "model", Bounds.modelCharacters)
      } else if key.equals("system") {
        system = try Self.text(value, "system", Bounds.promptCharacters)
      } else if key.equals("temperature") {
        temperature = try Self.number(value, "temperature")
        // The upper bound is the provider's and is checked when the model is known.
        if let temperature, !(temperature >= 0) {
          throw .invalid("temperature", "must be at least 0, got \(temperature)", found: "\(temperature)")
        }
      } else if key.equals("max_tokens") {
        guard let count = value.int() else { throw Self.wrongType(value, "max_tokens", "a whole number") }
        guard Bounds.maximumTokens.contains(count) else {
          throw .invalid("max_tokens", Self.rule(count, Bounds.maximumTokens), found: "\(count)")
        }
        maximumTokens = count
      } else if key.equals("timeout") {
        timeoutNanoseconds = try Self.timeout(value)
      } else if key.equals("thinking_mode") {
        thinkingMode = try Self.thinkingMode(value)
      } else if key.equals("use_websearch") {
        webSearch = try Self.flag(value, "use_websearch")
      } else if key.equals("stream") {
        wantsStream = try Self.flag(value, "stream")
      } else if key.equals("images") {
        images = try Self.images(value)
      } else if key.equals("tools") {
        guard value.kind == .array else { throw Self.wrongType(value, "tools", "an array") }
        tools = value
      } else if key.equals("tool_choice") {
        toolChoice = value
      } else if key.equals("dedupe") {
        refusesDuplicates = try Self.flag(value, "dedupe")
      } else {
        try Self.refuse(key, value)
      }
    }
    if prompt == nil && messages == nil { throw Self.missingPrompt }
    if prompt != nil && messages != nil {
      throw .invalid("messages", "give either 'prompt' or 'messages', not both", found: "")
    }
    if let images, messages != nil {
      throw .invalid(
        "images", "go with 'prompt'; in 'messages' they are parts of a message's content", found: "\(images.kind)")
    }
  }

  /// What a call without any arguments gets.
  static func none() throws(CallError) -> ChatArguments { throw missingPrompt }

  private static var missingPrompt: CallError { .invalid("prompt", "is required (or 'messages')", found: "") }

  /// Refuses what this provider or model cannot do, instead of leaving it out. A model that lists no capabilities may
  /// have any.
  func check(temperatureMax: Double, _ model: ModelEntry) throws(CallError) {
    if let temperature, temperature > temperatureMax {
      throw .invalid(
        "temperature", "must be at most \(temperatureMax), got \(temperature)", found: "\(temperature)")
    }
    guard !model.capabilities.isEmpty else { return }
    let wanted = [
      (images != nil, "images", "images"), (webSearch, "use_websearch", "web_search"),
      (thinkingMode != nil, "thinking_mode", "thinking"), (tools != nil, "tools", "tools"),
    ]
    for (isWanted, field, capability) in wanted where isWanted && !model.capabilities.contains(capability) {
      throw .invalid(
        field, "model \(model.id) cannot do this; it can: \(model.capabilities.joined(separator: ", "))", found: field)
    }
  }

  // MARK: - One rule each

  private static func prompt(_ value: JSONView) throws(CallError) -> JSONView {
    guard value.kind == .string else { throw wrongType(value, "prompt", "a string") }
    if let plain = value.plainString, let first = plain.first, first > 0x20, first < 0x80,
      plain.count <= Bounds.promptCharacters.upperBound
    {
      return value  // The usual prompt, settled without counting its characters.
    }
    let text = value.string() ?? ""
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }) else {
      throw .invalid("prompt", "cannot be empty", found: text)
    }
    let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) ?? first
    let count = scalars.distance(from: first, to: last) + 1
    guard count <= Bounds.promptCharacters.upperBound else {
      throw .invalid(
        "prompt", "must be at most \(Bounds.promptCharacters.upperBound) characters, got \(count)", found: text)
    }
    return value
  }

  private static func messages(_ value: JSONView) throws(CallError) -> JSONView {
    guard value.kind == .array else { throw wrongType(value, "messages", "an array of {role, content}") }
    var count = 0
    for message in value.elements() {
      count += 1
      guard message.kind == .object else {
        throw wrongType(message, "messages[\(count - 1)]", "an object with role and content")
      }
      guard let role = message["role" as StaticString], role.kind == .string,
        ["system", "user", "assistant", "tool", "developer"].contains(role.string() ?? "")
      else {
        throw .invalid(
          "messages[\(count - 1)].role", "must be one of system, user, assistant, tool, developer",
          found: message["role" as StaticString].map { String(decoding: $0.bytes, as: UTF8.self) } ?? "nothing")
      }
      guard let content = message["content" as StaticString] else {
        if message["tool_calls" as StaticString] != nil { continue }
        throw .invalid("messages[\(count - 1)].content", "is required", found: "nothing")
      }
      guard content.kind == .string || content.kind == .array || content.isNull else {
        throw wrongType(content, "messages[\(count - 1)].content", "a string or an array of parts")
      }
    }
    guard Bounds.messages.contains(count) else {
      throw .invalid(
        "messages", "must have 1 to \(Bounds.messages.upperBound) entries, got \(count)", found: "\(count)")
    }
    return value
  }

  private static func text(_ value: JSONView, _ field: String, _ bounds: ClosedRange<Int>) throws(CallError)
    -> JSONView
  {
    guard value.kind == .string, let count = value.characterCount else { throw wrongType(value, field, "a string") }
    guard bounds.contains(count) else {
      throw .invalid(
        field, "must be \(bounds.lowerBound) to \(bounds.upperBound) characters, got \(count)",
        found: value.string() ?? "")
    }
    return value
  }

  private static func number(_ value: JSONView, _ field: String) throws(CallError) -> Double {
    guard let number = value.double() else { throw wrongType(value, field, "a number") }
    return number
  }

  /// Nanoseconds.
  static func timeout(_ value: JSONView) throws(CallError) -> UInt64 {
    let seconds = try number(value, "timeout")
    guard Bounds.timeoutSeconds.contains(seconds) else {
      throw .invalid("timeout", "must be between 0.1 and 3600 seconds, got \(seconds)", found: "\(seconds)")
    }
    return UInt64(seconds * 1_000_000_000)
  }

  static func flag(_ value: JSONView, _ field: String) throws(CallError) -> Bool {
    if let flag = value.bool() { return flag }
    if value.kind == .string, let text = value.string()?.lowercased() {
      if ["true", "1", "yes", "on"].contains(text) { return true }
      if ["false", "0", "no", "off"].contains(text) { return false }
    }
    throw wrongType(value, field, "true or false")
  }

  private static func thinkingMode(_ value: JSONView) throws(CallError) -> StaticString {
    guard value.kind == .string, let text = value.string() else {
      throw wrongType(value, "thinking_mode", "a string")
    }
    let lower = text.lowercased()
    for mode in Bounds.thinkingModes where lower == "\(mode)" { return mode }
    throw .invalid(
      "thinking_mode", "must be one of ['minimal', 'low', 'medium', 'high', 'max'], got \(text.prefix(40))", found: text
    )
  }

  private static func images(_ value: JSONView) throws(CallError) -> JSONView {
    guard value.kind == .array else { throw wrongType(value, "images", "an array of URLs") }
    var count = 0
    for image in value.elements() {
      count += 1
      guard image.kind == .string, let url = image.string(),
        url.hasPrefix("data:image/") || url.hasPrefix("https://") || url.hasPrefix("http://")
      else {
        throw .invalid(
          "images[\(count - 1)]", "must be a data:image/ URL or an http(s) URL",
          found: String(decoding: image.bytes.prefix(60), as: UTF8.self))
      }
    }
    guard count <= Bounds.images else {
      throw .invalid("images", "must have at most \(Bounds.images) entries, got \(count)", found: "\(count)")
    }
    return value
  }

  private static func refuse(_ key: JSONView, _ value: JSONView) throws(CallError) {
    let name = key.string() ?? ""
    switch name {
    case "continuation_id":
      throw .invalid(name, "conversations are not kept by this host; send 'messages'", found: value.string() ?? "")
    case "files":
      if value.kind == .array, value[0] == nil { return }
      throw .invalid(name, "files are not taken by this version", found: "\(value.kind)")
    default:
      throw .invalid(
        name, "is not an argument of chat; known: \(names.joined(separator: ", "))", found: "\(value.kind)")
    }
  }

  private static func wrongType(_ value: JSONView, _ field: String, _ expected: String) -> CallError {
    let found = String(decoding: value.bytes.prefix(100), as: UTF8.self)
    // Of a number where another was expected, the kind says nothing: 1.5, or one beyond all bounds.
    let isOtherNumber = value.kind == .number && expected.hasSuffix("number")
    return .invalid(field, "must be \(expected), got \(isOtherNumber ? found : "\(value.kind)")", found: found)
  }

  private static func rule(_ value: Int64, _ bounds: ClosedRange<Int64>) -> String {
    value < bounds.lowerBound
      ? "must be at least \(bounds.lowerBound), got \(value)" : "must be at most \(bounds.upperBound), got \(value)"
  }
}
