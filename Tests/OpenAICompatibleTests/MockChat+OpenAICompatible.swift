import ProviderAPI
import ProviderTesting

@testable import OpenAICompatible

extension MockChat {
  static func openAICompatible(_ settings: String = #"{"base_url":"http://127.0.0.1:8080","has_key":true}"#) throws
    -> MockChat
  {
    try MockChat(
      {
        PluginEntry.answer(
          $0, $1,
          plugin: PluginDescriptor(
            id: "test.OpenAICompatible", name: "t", version: "1", providers: [OpenAICompatible.self]))
      },
      provider: "openai-compatible", settings: settings, model: "m")
  }
}
