import ProviderAPI

/// Answers with the last user message.
final class EchoSwift: Provider {
  static let descriptor = ProviderDescriptor(
    id: "echo-swift", displayName: "Echo in Swift", capabilities: [.chat, .stream],
    models: [ModelDescription(id: "echo-swift-1")])

  init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {}

  func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    var question = ""
    for message in request.messages where message.role == .user { question = message.text }
    try await stream.text(question)
    return stream.finish(.stop)
  }
}
