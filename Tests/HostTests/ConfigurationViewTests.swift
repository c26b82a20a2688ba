import JSON
import Testing

@testable import Host

struct ConfigurationViewTests {
  private static let secrets = [
    "TOKEN": "token-that-nobody-sees", "KEY": "key-that-nobody-sees-\"q\"", "OPS": "another-token-nobody-sees",
  ]

  private static let text = """
    { listeners: [{ address: "127.0.0.1:0", serves: ["health", "monitor"] }],
      auth: { principals: [{ name: "a", token: "env:TOKEN", role: "viewer" }, { name: "b", token: "env:OPS" }],
        origins: ["https://app.example"] },
      providers: [{ id: "local", plugin: "openai-compatible", api_key: "env:KEY", base_url: "http://127.0.0.1:1/v1",
        models: ["m-1", { id: "m-2", context_tokens: 5 }], http_version: "2", canary: "are you \\"there\\"?",
        settings: { region: "eu", api_token: "hush-hush-plugin", deep: [{ Password: "hush-hush-too", size: 3 }] } }],
      fallback: [{ from: "m-1", to: ["m-2"] }], rates: { global: { burst: 2, per_second: 3 } },
      timeouts: { heartbeat_seconds: 2.125 } }
    """

  private static func shown() throws -> String {
    try ConfigurationReading.parse(text, environment: secrets).shownText
  }

  @Test func `no secret is shown, and where one is, that is said`() throws {
    let shown = try Self.shown()
    for secret in Self.secrets.values + ["hush-hush"] { #expect(!shown.contains(secret)) }
    #expect(!shown.contains("nobody-sees"))
    for name in ["token", "api_key", "api_token", "Password"] { #expect(shown.contains("\(name): \"[hidden]\",")) }
    #expect(shown.contains("region: \"eu\","))
  }

  @Test func `what is shown is the configuration, and can be read again`() throws {
    // Each principal needs a token of its own.
    let parts = try Self.shown().split(separator: "[hidden]", omittingEmptySubsequences: false)
    let shown = parts.enumerated().map { "\($0 == 0 ? "" : "a-secret-of-some-length-\($0)")\($1)" }.joined()
    let original = try ConfigurationReading.parse(Self.text, environment: Self.secrets)
    let again = try ConfigurationReading.parse(shown)
    let changes = original.changes(to: again).map(\.path)
    #expect(
      changes == [
        "auth.principals[0].token", "auth.principals[1].token", "providers[0].api_key", "providers[0].settings",
      ])
    #expect(again.providers[0].models == original.providers[0].models)
    #expect(again.listeners == original.listeners && again.timeouts == original.timeouts)
  }

  @Test func `every setting of the schema is shown`() throws {
    let root = ConfigurationSchema.settings.view(of: Configuration())
    for setting in ConfigurationSchema.settings where setting.facts.key != "default_model" {
      #expect(root[setting.facts.key] != nil, "\(setting.facts.key)")
    }
    let limits = root["limits"]?.members?.map(\.key)
    #expect(limits == ConfigurationSchema.limits.map(\.facts.key))
  }
}
