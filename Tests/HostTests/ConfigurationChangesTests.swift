import Testing

@testable import Host

private func changes(_ before: String, _ after: String, environment: [String: String] = [:]) throws -> [String] {
  let ours = try ConfigurationReading.parse(before, environment: environment)
  let theirs = try ConfigurationReading.parse(after, environment: environment)
  return ours.changes(to: theirs).map(\.description)
}

struct ConfigurationChangesTests {
  @Test(
    arguments: [
      ("{}", "{ limits: { in_flight: 9 } }", ["limits.in_flight: 24 → 9"]),
      (
        "{ timeouts: { heartbeat_seconds: 2.5 } }", "{}",
        ["limits.queue_seconds: 1.875 → 6", "timeouts.heartbeat_seconds: 2.5 → 8"]
      ),
      ("{}", "{ loops: 200 }", ["loops: \(Configuration.availableCores) → 200 (needs a restart)"]),
      ("{}", "{ storage: { kind: 'memory' } }", ["storage.kind: sqlite → memory (needs a restart)"]),
      ("{}", "{ log: { level: 'debug' } }", ["log.level: info → debug"]),
      (
        "{}", "{ rates: { global: { burst: 2, per_second: 3 } } }",
        ["rates.global.burst: absent → 2", "rates.global.per_second: absent → 3"]
      ),
      (
        "{ providers: [{ id: 'a' }] }", "{ providers: [{ id: 'a', limits: { in_flight: 3, adaptive: true } }] }",
        ["providers[0].limits.in_flight: absent → 3", "providers[0].limits.adaptive: false → true"]
      ),
      (
        "{ fallback: [{ from: 'a', to: ['b'] }] }", "{}",
        ["fallback[0].from: \"a\" → absent", "fallback[0].to: [\"b\"] → absent"]
      ),
      ("{ default_model: 'm' }", "{ default_model: 'm' }", []),
    ] as [(String, String, [String])])
  func `each setting that is otherwise is told with both values`(before: String, after: String, expected: [String])
    throws
  {
    #expect(try changes(before, after) == expected)
  }

  @Test func `leaving Echo out takes effect at once, as any change of the providers`() throws {
    let changes = try ConfigurationReading.parse("{}").changes(to: ConfigurationReading.parse("{ echo: false }"))
    #expect(changes.first { $0.path == "echo" }?.needsRestart == false)
    #expect(changes.contains { $0.path == "providers[0].id" && $0.to == nil })
    let later = changes.filter(\.needsRestart).map(\.path)
    #expect(later == [])
  }

  @Test func `a changed secret is told and not shown`() throws {
    func text(_ name: String) -> String { "{ providers: [{ id: 'a', api_key: 'env:\(name)' }] }" }
    let environment = ["ONE": "secret-number-one", "TWO": "secret-number-two"]
    #expect(
      try changes(text("ONE"), text("TWO"), environment: environment)
        == ["providers[0].api_key: a secret → another secret"])
    #expect(try changes(text("ONE"), text("ONE"), environment: environment) == [])
  }

  @Test func `what is fixed stays as it is in the running host`() throws {
    let running = try ConfigurationReading.parse("{ loops: 3, limits: { in_flight: 5 } }")
    let wanted = try ConfigurationReading.parse("{ loops: 4, limits: { in_flight: 6 } }")
    let applied = wanted.keepingFixed(of: running)
    #expect(applied.loops == 3)
    #expect(applied.limits.inFlight == 6)
  }

  @Test func `a provider is made anew for what its instance is made of, and not for its limits`() {
    var settings = ProviderSettings(id: "a", plugin: "p")
    var other = settings
    other.limits.inFlight = 9
    #expect(settings.makesTheSame(as: other))
    settings.baseURL = "http://127.0.0.1:1/v1"
    #expect(!settings.makesTheSame(as: other))
  }
}
