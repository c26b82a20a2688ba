import ProviderAPI

/// The models known at build time. The upstream's own list counts as soon as it was read.
enum GLMModels {
  private static let seeing = ["tools", "images", "web_search"]
  private static let thinking = ["tools", "thinking", "web_search"]

  static let catalogue = [
    ModelDescription(id: "glm-4.5-flash", contextTokens: 128_000, outputTokens: 8192, capabilities: seeing),
    ModelDescription(
      id: "glm-4.6", contextTokens: 200_000, outputTokens: 8192,
      capabilities: ["tools", "images", "thinking", "web_search"]),
    ModelDescription(id: "glm-4.5", contextTokens: 128_000, outputTokens: 8192, capabilities: thinking),
    ModelDescription(
      id: "glm-4.5-air", aliases: ["glm-4.5-x"], contextTokens: 128_000, outputTokens: 8192, capabilities: thinking),
    ModelDescription(id: "glm-4.5v", contextTokens: 65_536, outputTokens: 8192, capabilities: ["images"]),
    ModelDescription(id: "glm-4.7", capabilities: thinking),
    ModelDescription(id: "glm-4.7-flash", capabilities: thinking),
    ModelDescription(id: "glm-5", capabilities: thinking),
    ModelDescription(id: "glm-5-turbo", capabilities: thinking),
    ModelDescription(id: "glm-5.1", capabilities: thinking),
    ModelDescription(id: "glm-5.2", contextTokens: 1_000_000, capabilities: thinking),
    ModelDescription(id: "glm-5.3", outputTokens: 131_072, capabilities: thinking),
    ModelDescription(id: "glm-5.3-flash", capabilities: thinking),
    ModelDescription(id: "glm-5v-turbo", capabilities: ["images", "thinking"]),
  ]
}
