import ProviderAPI
import ProviderTesting

@testable import Kimi

extension MockChat {
  static func kimi(_ settings: String = #"{"has_key":true}"#) throws -> MockChat {
    try MockChat(
      {
        PluginEntry.answer(
          $0, $1, plugin: PluginDescriptor(id: "test.Kimi", name: "t", version: "1", providers: [Kimi.self]))
      },
      provider: "kimi", settings: settings, model: "kimi-k2.6")
  }
}
