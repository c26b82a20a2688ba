import ProviderAPI
import ProviderTesting

@testable import GLM

extension MockChat {
  static func glm(_ settings: String = #"{"has_key":true}"#) throws -> MockChat {
    try MockChat(
      {
        PluginEntry.answer(
          $0, $1, plugin: PluginDescriptor(id: "test.GLM", name: "t", version: "1", providers: [GLM.self]))
      },
      provider: "glm", settings: settings, model: "glm-4.6")
  }
}
