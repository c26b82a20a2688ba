import Testing

@testable import Host

@Suite struct ConfigurationDetectionTests {
  private static let key = "sk-0123456789"

  /// "id=key@base" of what is detected.
  private func detected(_ environment: [String: String], _ text: String? = nil) throws -> [String] {
    let configuration = try ConfigurationReading.parse(text, file: nil, environment: environment)
    #expect(configuration.providers.allSatisfy { $0.isDetected })
    return configuration.providers.map { provider in
      let key = provider.apiKey.map { "=\($0.source)" } ?? ""
      let base = provider.baseURL.map { "@\($0)" } ?? ""
      let models = provider.models.map { "#\($0.id)" }.joined()
      return "\(provider.id):\(provider.plugin)\(key)\(base)\(models)"
    }
  }

  @Test(
    arguments: [
      ([:], ["echo:echo"]),
      (["KIMI_API_KEY": key], ["kimi:kimi=env:KIMI_API_KEY", "echo:echo"]),
      (["MOONSHOT_API_KEY": key], ["kimi:kimi=env:MOONSHOT_API_KEY", "echo:echo"]),
      (["KIMI_API_KEY": key, "MOONSHOT_API_KEY": key], ["kimi:kimi=env:KIMI_API_KEY", "echo:echo"]),
      (
        ["KIMI_API_KEY": "your_kimi_api_key_here", "MOONSHOT_API_KEY": key],
        ["kimi:kimi=env:MOONSHOT_API_KEY", "echo:echo"]
      ),
      (["GLM_API_KEY": key], ["glm:glm=env:GLM_API_KEY", "echo:echo"]),
      (["ZHIPUAI_API_KEY": key], ["glm:glm=env:ZHIPUAI_API_KEY", "echo:echo"]),
      (["ZAI_API_KEY": key], ["glm:glm=env:ZAI_API_KEY", "echo:echo"]),
      (
        ["KIMI_API_KEY": key, "KIMI_API_URL": "https://api.moonshot.cn/v1"],
        ["kimi:kimi=env:KIMI_API_KEY@https://api.moonshot.cn/v1", "echo:echo"]
      ),
      (
        ["GLM_API_KEY": key, "GLM_API_URL": "https://api.z.ai/api/paas/v4"],
        ["glm:glm=env:GLM_API_KEY@https://api.z.ai/api/paas/v4", "echo:echo"]
      ),
      (["KIMI_API_URL": "https://api.moonshot.cn/v1", "CUSTOM_API_KEY": key, "CUSTOM_MODEL_NAME": "m"], ["echo:echo"]),
      (
        ["CUSTOM_API_URL": "http://localhost:11434/v1"],
        ["custom:openai-compatible@http://localhost:11434/v1", "echo:echo"]
      ),
      (
        ["CUSTOM_API_URL": "http://h/v1", "CUSTOM_API_KEY": key, "CUSTOM_MODEL_NAME": "llama3.2"],
        ["custom:openai-compatible=env:CUSTOM_API_KEY@http://h/v1#llama3.2", "echo:echo"]
      ),
      (
        ["CUSTOM_API_URL": "http://h/v1", "ZAI_API_KEY": key, "KIMI_API_KEY": key],
        [
          "kimi:kimi=env:KIMI_API_KEY", "glm:glm=env:ZAI_API_KEY", "custom:openai-compatible@http://h/v1", "echo:echo",
        ]
      ),
      (
        ["KIMI_API_KEY": "", "GLM_API_KEY": "your_glm_api_key_here", "CUSTOM_API_URL": "your_custom_url_here"],
        ["echo:echo"]
      ),
    ] as [([String: String], [String])])
  func `providers are detected by their keys, in one order`(environment: [String: String], expected: [String]) throws {
    #expect(try detected(environment) == expected)
  }

  @Test func `Echo can be turned off`() throws {
    #expect(try detected([:], "{ echo: false }") == [])
    #expect(try detected(["KIMI_API_KEY": Self.key], "{ echo: false }") == ["kimi:kimi=env:KIMI_API_KEY"])
  }

  @Test func `a list of providers is exact`() throws {
    let configuration = try ConfigurationReading.parse(
      "{ providers: [{ id: 'glm' }] }", environment: ["KIMI_API_KEY": Self.key])
    #expect(configuration.providers.map(\.id) == ["glm"])
    #expect(configuration.providers.map(\.plugin) == ["glm"])
    #expect(configuration.providers.map(\.isDetected) == [false])
  }

  @Test(arguments: [
    ("your_kimi_api_key_here", true), ("YOUR-KEY", true), ("<key>", true), ("insert_key_here", true),
    ("changeme", true), ("xxxxxxxx", true), ("sk-youthere", false), ("sk-here1", false), ("yours", false), ("", false),
  ])
  func `placeholders are known`(value: String, isPlaceholder: Bool) {
    #expect(Detection.isPlaceholder(value) == isPlaceholder)
  }

  @Test(
    arguments: [
      (
        ["KIMI_API_KEY": "short"],
        "KIMI_API_KEY: found a secret of 5 characters in this environment variable, expected 8 to 4,096 characters"
      ),
      (
        ["GLM_API_KEY": "two words here?"],
        "GLM_API_KEY: found a secret with spaces or other than ASCII characters in this environment variable, "
          + "expected visible ASCII characters only"
      ),
      (
        ["CUSTOM_API_URL": "http://me:pass@host"],
        "CUSTOM_API_URL: found another text in this environment variable, expected an http or https URL without user, "
          + "query and fragment"
      ),
      (
        ["CUSTOM_API_URL": "http://host", "CUSTOM_MODEL_NAME": "a\nb"],
        "CUSTOM_MODEL_NAME: found \"a\\nb\" in this environment variable, expected a model id of 1 to 100 characters"
      ),
      (
        ["PATCHBAY_LISTEN": "localhost:1"],
        "PATCHBAY_LISTEN: found \"localhost:1\" in this environment variable, expected \"IP:PORT\", \"[IPv6]:PORT\" or "
          + "\"unix:/path\"; an address, not a name"
      ),
      (
        ["PATCHBAY_LISTEN": "0.0.0.0:1"],
        "PATCHBAY_LISTEN: found \"0.0.0.0:1\" and no principal in this environment variable, expected a loopback or unix "
          + "address while anyone may connect; set auth.principals in the file or PATCHBAY_TOKEN in the environment, or "
          + "listen on 127.0.0.1"
      ),
      (
        ["PATCHBAY_TOKEN": "0123456789abcde"],
        "PATCHBAY_TOKEN: found a secret of 15 characters in this environment variable, expected 16 to 4,096 characters"
      ),
    ] as [([String: String], String)])
  func `a bad variable is named`(environment: [String: String], message: String) {
    #expect(ConfigurationReading.errors("{}", environment: environment).map(\.description) == [message])
  }

  @Test func `the variables of the host are settings`() throws {
    let configuration = try ConfigurationReading.parse(
      "{ listeners: [{ address: '127.0.0.1:1' }, { address: '127.0.0.1:2' }], plugins: { directories: ['p'] } }",
      environment: [
        "PATCHBAY_LISTEN": "0.0.0.0:9000", "PATCHBAY_TOKEN": "0123456789abcdef", "PATCHBAY_PLUGIN_PATH": "/a:b:",
      ])
    #expect(configuration.listeners == [.init(address: "0.0.0.0:9000")])
    #expect(configuration.warnings == ["PATCHBAY_LISTEN replaces the listeners of the file"])
    #expect(configuration.auth.principals.map(\.name) == ["default"])
    #expect(configuration.auth.principals.map(\.role) == [.client])
    #expect(configuration.auth.principals.map(\.token.value) == ["0123456789abcdef"])
    #expect(
      configuration.plugins.searchPath == [
        "/etc/patchbay/p", "/a", "b", "/usr/local/lib/patchbay/plugins", "/usr/lib/patchbay/plugins",
      ])
  }

  @Test func `principals of the file leave PATCHBAY_TOKEN to them`() throws {
    let configuration = try ConfigurationReading.parse(
      "{ auth: { principals: [{ name: 'editor', token: 'env:PATCHBAY_TOKEN' }] } }",
      environment: ["PATCHBAY_TOKEN": "0123456789abcdef"])
    #expect(configuration.auth.principals.map(\.name) == ["editor"])
  }

  @Test(
    arguments: [
      ("/x/c.json5", ["PATCHBAY_CONFIG": "/y/c.json5"], "/x/c.json5"),
      (nil, ["PATCHBAY_CONFIG": "/y/c.json5"], "/y/c.json5"),
      (nil, ["PATCHBAY_CONFIG": ""], "./patchbay.json5"),
      (nil, [:], "./patchbay.json5"),
    ] as [(String?, [String: String], String)])
  func `the first place that is named wins`(path: String?, environment: [String: String], expected: String) throws {
    let configuration = try Configuration.load(path: path, environment: { environment[$0] }) { _ in
      .bytes(Array("{}".utf8))
    }
    #expect(configuration.file == expected)
  }

  @Test func `absent standard files are passed over`() throws {
    let system = try Configuration.load(path: nil, environment: { _ in nil }) { path in
      path == "/etc/patchbay/patchbay.json5" ? .bytes(Array("{}".utf8)) : .absent
    }
    #expect(system.file == "/etc/patchbay/patchbay.json5")
    #expect(system.stateDirectory == "/etc/patchbay/state")
    #expect(try Configuration.load(path: nil, environment: { _ in nil }) { _ in .absent }.file == nil)
  }

  @Test(
    arguments: [
      ("/x", [:], .absent, "/x: found no such file, expected the configuration that --config names"),
      (
        nil, ["PATCHBAY_CONFIG": "/y"], .absent,
        "/y: found no such file, expected the configuration that PATCHBAY_CONFIG names"
      ),
      (
        nil, [:], .unreadable("Permission denied"),
        "./patchbay.json5: found Permission denied, expected a readable file; change its owner or mode, or name another"
      ),
      (
        "/x", [:], .bytes(Array(repeating: 0x20, count: (1 << 20) + 1)),
        "/x:1: found text that is not JSON5 in column 1, expected JSON5; found 1048577 bytes, expected at most 1048576"
      ),
    ] as [(String?, [String: String], ConfigurationFile, String)])
  func `a file that is named must be there`(
    path: String?, environment: [String: String], file: ConfigurationFile, message: String
  ) {
    do {
      _ = try Configuration.load(path: path, environment: { environment[$0] }) { _ in file }
      Issue.record("expected an error")
    } catch {
      #expect(error.description == message)
    }
  }
}
