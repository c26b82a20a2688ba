import ProviderAPI

/// Answers with the last user message.
public final class EchoSwiftProvider: Provider {
  public static let descriptor = ProviderDescriptor(
    id: "echo-swift", displayName: "Echo in Swift", capabilities: [.chat, .stream],
    models: [ModelDescription(id: "echo-swift-1")])

  public init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {}

  public func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    var question = ""
    for message in request.messages where message.role == .user { question = message.text }
    try await stream.text(question)
    return stream.finish(.stop)
  }
}

extension PluginDescriptor {
  /// The plugin of this library: all its providers.
  public static let plugin = PluginDescriptor(
    id: "com.example.echo-swift", name: "Echo in Swift", vendor: "Example", version: "1.0.0",
    providers: [EchoSwiftProvider.self])
}
