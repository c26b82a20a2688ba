import Foundation
import Testing

@testable import Host

@Suite struct ConfigurationExampleTests {
  private let example = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("patchbay.example.json5")

  /// With PATCHBAY_WRITE_EXAMPLE in the environment it is written first.
  @Test func `the example file is what the schema says`() throws {
    if ProcessInfo.processInfo.environment["PATCHBAY_WRITE_EXAMPLE"] != nil {
      try ConfigurationExample.text.write(to: example, atomically: true, encoding: .utf8)
    }
    let text = try String(contentsOf: example, encoding: .utf8)
    #expect(text == ConfigurationExample.text, "write it anew: PATCHBAY_WRITE_EXAMPLE=1 swift test --filter Example")
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
  }

  @Test func `the example file changes nothing`() throws {
    let example = try ConfigurationReading.parse(ConfigurationExample.text, file: nil)
    #expect(try ConfigurationReading.parse(nil, file: nil) == example)
    #expect(example.notYetInForce.isEmpty && example.warnings.isEmpty)
  }

  @Test func `the example without its comment signs is accepted`() throws {
    let text = ConfigurationExample.text.split(separator: "\n").map { line -> Substring in
      let content = line.drop { $0 == " " }
      guard content.hasPrefix("// ") else { return line }
      let rest = content.dropFirst(3).drop { $0 == " " }
      // What is commented out begins with a key and a colon or with a bracket; nothing that explains does.
      let key = rest.prefix { $0.isLowercase || $0 == "_" }
      let next = rest.dropFirst(key.count).first
      let isSetting = key.isEmpty ? next.map { "{}]".contains($0) } == true : next == ":"
      return isSetting ? rest : line
    }.joined(separator: "\n")
    let configuration = try ConfigurationReading.parse(
      text,
      environment: [
        "KIMI_API_KEY": "sk-0123456789", "PATCHBAY_TOKEN": "0123456789abcdef", "ALERT_TOKEN": "0123456789",
      ])
    #expect(configuration.providers.map(\.id) == ["kimi", "local"])
    #expect(configuration.auth.principals.map(\.name) == ["editor"])
    #expect(configuration.fallback.count == 1 && configuration.rates.global?.burst == 1000)
    #expect(configuration.notYetInForce.count == 1)
  }

  @Test(
    arguments: [
      ("plugins: { watch: false }", []),
      ("retry: { attempts: 2 }", []),
      ("breaker: {}", []),
      ("fallback: [{ from: 'a', to: ['b'] }]", []),
      ("rates: { global: { burst: 1, per_second: 1 } }", []),
      ("results: { keep_seconds: 1 }", []),
      ("sessions: { idle_seconds: 9, sweep_seconds: 9 }", []),
      ("sessions: { resume_seconds: 1 }", ["sessions.resume_seconds: resuming sessions has no effect in this version"]),
      ("storage: { keep_days: 7 }", []),
      ("listeners: [{ address: '127.0.0.1:0', serves: ['websocket'] }]", []),
      (
        "listeners: [{ address: '127.0.0.1:0', serves: ['websocket', 'mcp'] }]",
        ["listeners[0].serves: serving openai or mcp has no effect in this version"]
      ),
      ("providers: [{ id: 'a', isolation: 'in-process' }]", []),
      ("providers: [{ id: 'a', isolation: 'worker' }]", []),
    ] as [(String, [String])])
  func `what has no effect yet is told when it was asked for`(setting: String, expected: [String]) throws {
    #expect(try ConfigurationReading.parse("{ \(setting) }").notYetInForce == expected)
  }

  @Test(
    arguments: [
      ("in_flite", "in_flight"), ("inFlight", "in_flight"), ("IN-FLIGHT", "in_flight"), ("in_flihgt", "in_flight"),
      ("session", "sessions"), ("zzz", nil), ("", nil),
    ] as [(String, String?)])
  func `a near name is found`(name: String, expected: String?) {
    #expect(NearName.closest(to: name, among: ["sessions", "in_flight", "log"]) == expected)
  }

  @Test func `a file is read from disk, other things are not`() throws {
    let source = try Array(Data(contentsOf: URL(fileURLWithPath: #filePath)))
    #expect(ConfigurationFile.read(#filePath) == .bytes(source))
    #expect(ConfigurationFile.read(#filePath + ".absent") == .absent)
    #expect(ConfigurationFile.read(#filePath + "/below") == .absent)
    #expect(ConfigurationFile.read("/") == .unreadable("not a regular file"))
  }
}
