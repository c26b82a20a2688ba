import Bytes
import JSON

/// One model of a catalogue (`prv.models/1`).
public struct ModelDescription: Equatable, Sendable {
  /// As the provider names it: `kimi-k2.6`.
  public var id: String
  public var aliases: [String]
  /// The window of input and output together; 0: not known.
  public var contextTokens: UInt64
  /// The longest answer; 0: not known.
  public var outputTokens: UInt64
  /// `tools`, `images`, `thinking`, `web_search`
  public var capabilities: [String]

  public init(
    id: String, aliases: [String] = [], contextTokens: UInt64 = 0, outputTokens: UInt64 = 0,
    capabilities: [String] = []
  ) {
    self.id = id
    self.aliases = aliases
    self.contextTokens = contextTokens
    self.outputTokens = outputTokens
    self.capabilities = capabilities
  }
}

extension ByteBuffer {
  /// Appends a `prv.models/1` array.
  mutating func appendJSON(models: [ModelDescription]) {
    append("[")
    for (index, model) in models.enumerated() {
      if index > 0 { append(",") }
      appendJSON(model: model)
    }
    append("]")
  }

  /// Appends one object of `prv.models/1`; what is not known is absent.
  mutating func appendJSON(model: ModelDescription) {
    append("{\"id\":")
    appendJSON(string: model.id)
    appendJSON(member: ",\"aliases\":", strings: model.aliases)
    if model.contextTokens > 0 {
      append(",\"context_tokens\":")
      appendDecimal(model.contextTokens)
    }
    if model.outputTokens > 0 {
      append(",\"output_tokens\":")
      appendDecimal(model.outputTokens)
    }
    appendJSON(member: ",\"capabilities\":", strings: model.capabilities)
    append("}")
  }

  private mutating func appendJSON(member: StaticString, strings: [String]) {
    guard !strings.isEmpty else { return }
    append(member)
    append("[")
    for (index, text) in strings.enumerated() {
      if index > 0 { append(",") }
      appendJSON(string: text)
    }
    append("]")
  }
}
