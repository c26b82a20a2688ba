/// Which providers the environment names, when the configuration names none.
package enum Detection {
  private static let kimiKeys = ["KIMI_API_KEY", "MOONSHOT_API_KEY"]
  private static let glmKeys = ["GLM_API_KEY", "ZHIPUAI_API_KEY", "ZAI_API_KEY"]

  /// Whether a value is the text of a template instead of a key: `your_kimi_api_key_here`, `<key>`, `changeme`.
  package static func isPlaceholder(_ value: String) -> Bool {
    let word = value.lowercased()
    if word.hasPrefix("your_") || word.hasPrefix("your-") { return true }
    if word.hasPrefix("<") && word.hasSuffix(">") { return true }
    if word.hasSuffix("_here") || word.hasSuffix("-here") { return true }
    return ["changeme", "change-me", "change_me", "placeholder", "todo"].contains(word)
      || (!word.isEmpty && word.utf8.allSatisfy { $0 == UInt8(ascii: "x") })
  }

  /// kimi, glm, custom, echo: in this order, each only when its variables are there.
  static func providers(_ reader: inout ConfigurationReader, echo: Bool) -> [ProviderSettings] {
    var providers: [ProviderSettings] = []
    for (id, keys, base) in [("kimi", kimiKeys, "KIMI_API_URL"), ("glm", glmKeys, "GLM_API_URL")] {
      guard let key = reader.detectedKey(keys) else { continue }
      var provider = ProviderSettings(id: id, plugin: id)
      provider.apiKey = key
      provider.baseURL = reader.detectedURL(base)
      providers.append(provider)
    }
    if let url = reader.detectedURL("CUSTOM_API_URL") {
      var provider = ProviderSettings(id: "custom", plugin: "openai-compatible")
      provider.baseURL = url
      provider.apiKey = reader.detectedKey(["CUSTOM_API_KEY"])
      if let model = reader.detectedModel("CUSTOM_MODEL_NAME") { provider.models = [.init(id: model)] }
      providers.append(provider)
    }
    if echo { providers.append(ProviderSettings(id: "echo", plugin: "echo")) }
    return providers.map { provider in
      var provider = provider
      provider.isDetected = true
      return provider
    }
  }
}

extension ConfigurationReader {
  /// The value of a variable; nil when it is unset, empty or a placeholder.
  func variable(_ name: String) -> String? {
    guard let value = environment(name), !value.isEmpty, !Detection.isPlaceholder(value) else { return nil }
    return value
  }

  fileprivate mutating func detectedKey(_ names: [String]) -> Secret? {
    guard let name = names.first(where: { variable($0) != nil }), let value = variable(name) else { return nil }
    return secret(value, detectedIn: name, characters: 8)
  }

  fileprivate mutating func detectedURL(_ name: String) -> String? {
    guard let value = variable(name) else { return nil }
    guard (8...2048).contains(value.utf8.count), TextFormat.url.accepts(value) else {
      report(.malformed, variable: name, found: "another text", expected: TextFormat.url.expected)
      return nil
    }
    return value
  }

  fileprivate mutating func detectedModel(_ name: String) -> String? {
    guard let value = variable(name) else { return nil }
    guard (1...100).contains(value.unicodeScalars.count), TextFormat.plain.accepts(value) else {
      report(
        .malformed, variable: name, found: Self.quoted(value), expected: "a model id of 1 to 100 characters")
      return nil
    }
    return value
  }
}
