import Testing

@testable import Host

@Suite struct ConfigurationSecretTests {
  private let token = "tok-0123456789abcdef"

  private func principal(_ token: String) -> String { "{ auth: { principals: [{ name: 'a', token: \(token) }] } }" }

  @Test func `no description of a configuration shows a secret`() throws {
    let configuration = try ConfigurationReading.parse(
      "{ auth: { principals: [{ name: 'a', token: 'env:T' }] }, providers: [{ id: 'p', api_key: 'file:/k' }] }",
      environment: ["T": token], files: ["/k": "key-12345678"])
    #expect(configuration.secrets.map(\.value) == [token, "key-12345678"])
    var dumped = ""
    dump(configuration, to: &dumped)
    let shown = "\(configuration)" + String(reflecting: configuration) + dumped + "\(configuration.secrets)"
    #expect(shown.contains("[redacted]"))
    #expect(!shown.contains(token))
    #expect(!shown.contains("key-12345678"))
    #expect(configuration.warnings.isEmpty)
  }

  @Test func `a literal secret is accepted with a warning that does not show it`() throws {
    let configuration = try ConfigurationReading.parse(principal("'\(token)'"))
    #expect(configuration.auth.principals[0].token == Secret(value: token, source: .literal))
    #expect(
      configuration.warnings == [
        "auth.principals[0].token: the secret is written in the configuration; \"env:NAME\" or \"file:/path\" keeps it "
          + "out of the file"
      ])
  }

  @Test(arguments: [(15, false), (16, true), (17, true), (4095, true), (4096, true), (4097, false)])
  func `a token has 16 to 4,096 characters`(count: Int, isAccepted: Bool) {
    let value = String(repeating: "t", count: count)
    for (text, environment, files) in [
      ("'env:T'", ["T": value], [:]), ("'file:/t'", [:], ["/t": value + "\n"]), ("'\(value)'", [:], [:]),
    ] as [(String, [String: String], [String: String])] {
      let errors = ConfigurationReading.errors(principal(text), environment: environment, files: files)
      #expect(errors.isEmpty == isAccepted)
      #expect(errors.allSatisfy { $0.kind == .secret && $0.found.contains("a secret of \(count) characters") })
    }
    #expect(ConfigurationReading.errors(nil, file: nil, environment: ["PATCHBAY_TOKEN": value]).isEmpty == isAccepted)
  }

  @Test(arguments: [(7, false), (8, true), (9, true)])
  func `a key has at least 8 characters`(count: Int, isAccepted: Bool) {
    let errors = ConfigurationReading.errors(
      "{ providers: [{ id: 'p', api_key: 'env:K' }] }", environment: ["K": String(repeating: "k", count: count)])
    #expect(errors.isEmpty == isAccepted)
  }

  @Test(arguments: [
    ("'env:T'", "found no environment variable \"T\", expected it to hold the secret; set it, or take the key out"),
    (
      "'env:EMPTY'",
      "found no environment variable \"EMPTY\", expected it to hold the secret; set it, or take the key out"
    ),
    ("'env:'", "found no environment variable \"\", expected it to hold the secret; set it, or take the key out"),
    (
      "'env:TEMPLATE'",
      "found a placeholder in the environment variable \"TEMPLATE\", expected it to hold the secret; "
        + "set it to the real one"
    ),
    (
      "'env:SPACED'",
      "found a secret with spaces or other than ASCII characters (env:SPACED), expected visible ASCII characters only"
    ),
    ("'file:gone'", "found no file \"/etc/patchbay/gone\", expected a readable file with the secret alone"),
    (
      "'file:lines'",
      "found a secret with spaces or other than ASCII characters (file:/etc/patchbay/lines), "
        + "expected visible ASCII characters only"
    ),
    (
      "'file:blank'",
      "found a secret of 0 characters (file:/etc/patchbay/blank), expected 16 to 4,096 characters"
    ),
    ("12345678901234567", "found a number, expected \"env:NAME\" or \"file:/path\""),
    ("null", "found null, expected \"env:NAME\" or \"file:/path\""),
  ])
  func `a secret that cannot be had is named, never shown`(token: String, message: String) {
    let errors = ConfigurationReading.errors(
      principal(token),
      environment: ["EMPTY": "", "TEMPLATE": "your_patchbay_token_here", "SPACED": "hush hush hush hush"],
      files: ["/etc/patchbay/lines": "first-secret-line\nsecond-secret-line\n", "/etc/patchbay/blank": " \r\n\n"])
    #expect(errors.map(\.message) == [message])
    #expect(errors.map(\.path) == ["auth.principals[0].token"])
    #expect(errors.map(\.line) == [1])
  }

  @Test func `an unreadable secret file says why`() {
    do {
      _ = try Configuration.parse(
        text: Array(principal("'file:/k'").utf8), file: "c.json5", environment: { _ in nil },
        readFile: { _ in .unreadable("Permission denied") })
      Issue.record("expected an error")
    } catch {
      #expect(
        error.description
          == "c.json5:1: auth.principals[0].token: found Permission denied at \"/k\", expected a readable file with the "
          + "secret alone")
    }
  }

  @Test func `two principals have two names and two tokens`() {
    let errors = ConfigurationReading.errors(
      "{ auth: { principals: [{ name: 'a', token: 'env:T' },\n{ name: 'a', token: 'env:T' }] } }",
      environment: ["T": token])
    #expect(
      errors.map(\.description) == [
        "/etc/patchbay/patchbay.json5:2: auth.principals[1].name: found \"a\" again, expected each name once",
        "/etc/patchbay/patchbay.json5:2: auth.principals[1].token: found the token of \"a\" again, expected each "
          + "principal's own",
      ])
  }

  @Test func `a placeholder as token stops the start instead of opening the host`() {
    let errors = ConfigurationReading.errors(nil, environment: ["PATCHBAY_TOKEN": "your_patchbay_token_here"])
    #expect(errors.map(\.path) == ["PATCHBAY_TOKEN"])
    #expect(errors.map(\.kind) == [.secret])
  }
}
