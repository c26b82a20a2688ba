import ProviderAPI

/// The models known at build time. They change fast: the upstream's own list counts as soon as it was read.
enum KimiModels {
  private static let plain = ["tools"]
  private static let seeing = ["tools", "images"]
  private static let thinking = ["tools", "thinking", "web_search"]
  private static let all = ["tools", "images", "thinking", "web_search"]

  static let catalogue = [
    ModelDescription(
      id: "kimi-k2.6", aliases: ["kimi"], contextTokens: 262_144, outputTokens: 32_768, capabilities: all),
    ModelDescription(id: "kimi-k3", contextTokens: 1_048_576, outputTokens: 131_072, capabilities: all),
    ModelDescription(id: "kimi-k2.7-code", capabilities: thinking),
    ModelDescription(id: "kimi-k2.7-code-highspeed", capabilities: thinking),
    ModelDescription(
      id: "kimi-k2-0905-preview", aliases: ["kimi-k2-0905", "kimi-k2"], contextTokens: 262_144, outputTokens: 8192,
      capabilities: seeing),
    ModelDescription(
      id: "kimi-k2-0711-preview", aliases: ["kimi-k2-0711"], contextTokens: 131_072, outputTokens: 8192,
      capabilities: plain),
    ModelDescription(
      id: "kimi-k2-turbo-preview", aliases: ["kimi-k2-turbo"], contextTokens: 262_144, outputTokens: 8192,
      capabilities: seeing),
    ModelDescription(
      id: "kimi-thinking-preview", contextTokens: 131_072, outputTokens: 8192,
      capabilities: ["tools", "images", "thinking"]),
    ModelDescription(id: "kimi-latest", contextTokens: 128_000, capabilities: seeing),
    ModelDescription(id: "kimi-latest-8k", contextTokens: 8192, capabilities: seeing),
    ModelDescription(id: "kimi-latest-32k", contextTokens: 32_768, capabilities: seeing),
    ModelDescription(id: "kimi-latest-128k", contextTokens: 131_072, capabilities: seeing),
    ModelDescription(id: "moonshot-v1-8k", contextTokens: 8192, outputTokens: 2048, capabilities: plain),
    ModelDescription(id: "moonshot-v1-32k", contextTokens: 32_768, outputTokens: 4096, capabilities: plain),
    ModelDescription(id: "moonshot-v1-128k", contextTokens: 128_000, capabilities: plain),
    ModelDescription(id: "moonshot-v1-8k-vision-preview", contextTokens: 8192, capabilities: ["images"]),
    ModelDescription(id: "moonshot-v1-32k-vision-preview", contextTokens: 32_768, capabilities: ["images"]),
    ModelDescription(id: "moonshot-v1-128k-vision-preview", contextTokens: 128_000, capabilities: ["images"]),
  ]
}
