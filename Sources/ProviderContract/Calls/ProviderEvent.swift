/// One event of a call (provider_abi.h `prv_event`). Buffers are borrowed; `text` was checked to be UTF-8.
package struct ProviderEvent {
  package enum Kind: UInt32, Sendable {
    case text = 1
    case reasoning = 2
    case toolCall = 3
    case toolArguments = 4
    case refusal = 5
    case usage = 6
    case finish = 7
    case modelUsed = 8
    case model = 9
    case annotation = 10
  }

  package var kind: Kind
  package var index: UInt32
  package var text: UnsafeRawBufferPointer
  package var id: UnsafeRawBufferPointer
  package var name: UnsafeRawBufferPointer
  package var usage: TokenUsage?

  package init(
    kind: Kind, index: UInt32 = 0, text: UnsafeRawBufferPointer = .init(start: nil, count: 0),
    id: UnsafeRawBufferPointer = .init(start: nil, count: 0),
    name: UnsafeRawBufferPointer = .init(start: nil, count: 0), usage: TokenUsage? = nil
  ) {
    self.kind = kind
    self.index = index
    self.text = text
    self.id = id
    self.name = name
    self.usage = usage
  }
}

/// Tokens as the provider counted them.
package struct TokenUsage: Hashable, Sendable {
  package var inputTokens: UInt64
  package var outputTokens: UInt64
  package var cachedInputTokens: UInt64
  package var reasoningTokens: UInt64

  package init(inputTokens: UInt64, outputTokens: UInt64, cachedInputTokens: UInt64 = 0, reasoningTokens: UInt64 = 0) {
    self.inputTokens = inputTokens
    self.outputTokens = outputTokens
    self.cachedInputTokens = cachedInputTokens
    self.reasoningTokens = reasoningTokens
  }
}
