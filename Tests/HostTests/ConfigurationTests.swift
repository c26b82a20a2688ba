import Testing

@testable import Host

@Suite struct ConfigurationTests {
  @Test func `an empty file means the defaults and the detected Echo`() throws {
    var expected = Configuration()
    var echo = ProviderSettings(id: "echo", plugin: "echo")
    echo.isDetected = true
    expected.providers = [echo]
    #expect(try ConfigurationReading.parse("{}", file: nil) == expected)
    #expect(try ConfigurationReading.parse(nil, file: nil) == expected)
  }

  @Test func `every setting reaches its place`() throws {
    let configuration = try ConfigurationReading.parse(
      """
      {
        listeners: [
          { address: "127.0.0.1:9000" },
          { address: "unix:run/patchbay.sock", serves: ["websocket", "openai", "mcp", "health", "metrics", "monitor"] },
        ],
        auth: {
          principals: [
            { name: "editor", token: "env:EDITOR_TOKEN", role: "admin", limits: { in_flight: 3 } },
            { name: "page", token: "file:page.token", role: "viewer" },
          ],
          origins: ["https://app.example:8443", "null"], hosts: ["patchbay.example"],
        },
        state_directory: "./state", files: { roots: ["/srv/files", "docs"] },
        plugins: { directories: ["./plugins", "/opt/plugins"], watch: false },
        providers: [
          { id: "off", enabled: false },
          {
            id: "local", plugin: "openai-compatible", api_key: "env:LOCAL_KEY", base_url: "http://[::1]:11434/v1",
            models: ["llama3.2", { id: "big", aliases: ["b"], context_tokens: 8192, output_tokens: 1024,
              capabilities: ["tools", "web_search"] }],
            limits: { in_flight: 6, queued: 2 }, isolation: "in-process", upstream_stream: "as-asked",
            http_version: "2", allowed_origins: ["https://files.example"],
            settings: { region: 'cn', depth: 0x10, ratio: .5, on: true, none: null, list: [1, -2,], "q\\"": {} },
          },
        ],
        echo: false, default_model: "big",
        limits: { in_flight: 1, session_in_flight: 2, sessions: 3, connections: 4, connections_per_address: 5,
          frame_bytes: 6000, arguments_bytes: 5000, file_bytes: 7, buffered_bytes: 65537, queue_seconds: 0.25 },
        timeouts: { tool_seconds: 0.1, daemon_seconds: 0.2, shim_seconds: 0.3, client_seconds: 0.4,
          hello_seconds: 0.5, connect_seconds: 0.6, first_token_seconds: 0.7, progress_seconds: 0.8,
          heartbeat_seconds: 0.9, message_seconds: 0.95, client_stall_seconds: 1.001, drain_seconds: 0 },
        retry: { attempts: 2, budget_seconds: 5, backoff_seconds: 0.3 }, breaker: { failures: 6, open_seconds: 7 },
        fallback: [{ from: "a", to: ["b", "c"] }],
        rates: { principal: { burst: 1, per_second: 2 }, global: { burst: 3, per_second: 4 } },
        results: { keep_seconds: 8, keep_bytes: 9 },
        sessions: { idle_seconds: 10, sweep_seconds: 11, resume_seconds: 12 },
        storage: { kind: "memory", path: "x.db" }, loops: 3, log: { level: "debug", format: "json" },
      }
      """,
      environment: ["EDITOR_TOKEN": "0123456789abcdef", "LOCAL_KEY": "sk-12345"],
      files: ["/etc/patchbay/page.token": "fedcba9876543210\r\n"])

    #expect(
      configuration.listeners == [
        .init(address: "127.0.0.1:9000"),
        .init(
          address: "unix:/etc/patchbay/run/patchbay.sock",
          serves: [.websocket, .openai, .mcp, .health, .metrics, .monitor]),
      ])
    #expect(configuration.auth.principals.map(\.name) == ["editor", "page"])
    #expect(configuration.auth.principals.map(\.role) == [.admin, .viewer])
    #expect(configuration.auth.principals.map(\.token.value) == ["0123456789abcdef", "fedcba9876543210"])
    #expect(configuration.auth.principals.map(\.limits.inFlight) == [3, nil])
    #expect(configuration.auth.origins == ["https://app.example:8443", "null"])
    #expect(configuration.auth.hosts == ["patchbay.example"])
    #expect(configuration.stateDirectory == "/etc/patchbay/state")
    #expect(configuration.files.roots == ["/srv/files", "/etc/patchbay/docs"])
    #expect(configuration.plugins.directories == ["/etc/patchbay/plugins", "/opt/plugins"])
    #expect(!configuration.plugins.watch)

    let local = try #require(configuration.providers.first)
    #expect(configuration.providers.count == 1)
    #expect(local.id == "local" && local.plugin == "openai-compatible" && local.apiKey?.value == "sk-12345")
    #expect(local.baseURL == "http://[::1]:11434/v1" && !local.isDetected)
    #expect(
      local.modelsJSON
        == #"[{"id":"llama3.2"},{"id":"big","aliases":["b"],"context_tokens":8192,"output_tokens":1024,"#
        + #""capabilities":["tools","web_search"]}]"#)
    #expect(local.limits == .init(inFlight: 6, queued: 2))
    #expect(local.isolation == .inProcess && local.upstreamStream == .asAsked && local.httpVersion == .http2)
    #expect(local.allowedOrigins == ["https://files.example"])
    #expect(
      local.settingsJSON
        == #"{"region":"cn","depth":16,"ratio":0.5,"on":true,"none":null,"list":[1,-2],"q\"":{}}"#)
    #expect(!configuration.echo && configuration.defaultModel == "big")

    var limits = Configuration.Limits()
    limits.inFlight = 1
    limits.sessionInFlight = 2
    limits.sessions = 3
    limits.connections = 4
    limits.connectionsPerAddress = 5
    limits.frameBytes = 6000
    limits.argumentsBytes = 5000
    limits.fileBytes = 7
    limits.bufferedBytes = 65_537
    limits.queueMilliseconds = 250
    #expect(configuration.limits == limits)

    var timeouts = Configuration.Timeouts()
    timeouts.toolMilliseconds = 100
    timeouts.daemonMilliseconds = 200
    timeouts.shimMilliseconds = 300
    timeouts.clientMilliseconds = 400
    timeouts.helloMilliseconds = 500
    timeouts.connectMilliseconds = 600
    timeouts.firstTokenMilliseconds = 700
    timeouts.progressMilliseconds = 800
    timeouts.heartbeatMilliseconds = 900
    timeouts.messageMilliseconds = 950
    timeouts.clientStallMilliseconds = 1001
    timeouts.drainMilliseconds = 0
    #expect(configuration.timeouts == timeouts)

    #expect(configuration.retry.attempts == 2 && configuration.retry.budgetMilliseconds == 5000)
    #expect(configuration.retry.backoffMilliseconds == 300)
    #expect(configuration.breaker.failures == 6 && configuration.breaker.openMilliseconds == 7000)
    #expect(configuration.fallback == [.init(from: "a", to: ["b", "c"])])
    #expect(configuration.rates.principal == .init(burst: 1, perSecond: 2))
    #expect(configuration.rates.address == nil)
    #expect(configuration.rates.global == .init(burst: 3, perSecond: 4))
    #expect(configuration.results.keepMilliseconds == 8000 && configuration.results.keepBytes == 9)
    #expect(configuration.sessions.idleMilliseconds == 10_000 && configuration.sessions.sweepMilliseconds == 11_000)
    #expect(configuration.sessions.resumeMilliseconds == 12_000)
    #expect(configuration.storage.kind == .memory && configuration.storage.path == "/etc/patchbay/x.db")
    #expect(configuration.loops == 3 && configuration.log.level == .debug && configuration.log.format == .json)
  }

  @Test(arguments: [
    (
      "{\n  limits: {\n    in_flite: 3,\n  },\n}", 3, "limits",
      "found the unknown key \"in_flite\", expected a key of limits; did you mean in_flight?"
    ),
    (
      "{ timeout: {} }", 1, "",
      "found the unknown key \"timeout\", expected a key of the top level; did you mean timeouts?"
    ),
    (
      "{ log: { inFlight: 1 } }", 1, "log",
      "found the unknown key \"inFlight\", expected a key of log; known are level, format, file"
    ),
    (
      "{\n providers: [{ id: \"a\", apiKey: \"sk-very-secret\" }] }", 2, "providers[0]",
      "found the unknown key \"apiKey\", expected a key of providers[0]; did you mean api_key?"
    ),
    ("[]", 1, "", "found an array, expected an object"),
    ("{ limits: 3 }", 1, "limits", "found 3, expected an object"),
    (
      "{ limits: { in_flight: \"24\" } }", 1, "limits.in_flight",
      "found \"24\", expected a whole number of calls from 1 to 10,000"
    ),
    (
      "{ limits: { in_flight: 2.5 } }", 1, "limits.in_flight",
      "found 2.5, expected a whole number of calls from 1 to 10,000"
    ),
    (
      "{ limits: { in_flight: 1e300 } }", 1, "limits.in_flight",
      "found 1e+300, expected a whole number of calls from 1 to 10,000"
    ),
    (
      "{ limits: { in_flight: null } }", 1, "limits.in_flight",
      "found null, expected a whole number of calls from 1 to 10,000; leave the key out for its default"
    ),
    (
      "{ limits: { in_flight: NaN } }", 1, "limits.in_flight",
      "found NaN, expected a whole number of calls from 1 to 10,000"
    ),
    (
      "{ timeouts: { hello_seconds: Infinity } }", 1, "timeouts.hello_seconds",
      "found Infinity, expected a number of seconds from 0.1 to 300"
    ),
    (
      "{ timeouts: { hello_seconds: NaN } }", 1, "timeouts.hello_seconds",
      "found NaN, expected a number of seconds from 0.1 to 300"
    ),
    (
      "{ timeouts: { hello_seconds: -1 } }", 1, "timeouts.hello_seconds",
      "found -1, expected a number of seconds from 0.1 to 300"
    ),
    (
      "{ timeouts: { hello_seconds: 1.0005 } }", 1, "timeouts.hello_seconds",
      "found 1.0005, expected at most three digits after the point"
    ),
    (
      "{ timeouts: { hello_seconds: true } }", 1, "timeouts.hello_seconds",
      "found true, expected a number of seconds from 0.1 to 300"
    ),
    ("{ plugins: { watch: 1 } }", 1, "plugins.watch", "found 1, expected true or false"),
    (
      "{ plugins: { directories: \"x\" } }", 1, "plugins.directories", "found \"x\", expected an array of 0 to 64 texts"
    ),
    (
      "{ plugins: { directories: [\n1] } }", 2, "plugins.directories[0]",
      "found 1, expected a path, 1 to 4,096 characters"
    ),
    (
      "{ log: { level: \"warn\" } }", 1, "log.level",
      "found \"warn\", expected \"debug\", \"info\", \"warning\" or \"error\""
    ),
    (
      "{ log: { level: \"eror\" } }", 1, "log.level",
      "found \"eror\", expected \"debug\", \"info\", \"warning\" or \"error\"; did you mean \"error\"?"
    ),
    ("{ log: { format: [] } }", 1, "log.format", "found an array, expected \"text\" or \"json\""),
    ("{ listeners: [] }", 1, "listeners", "found 0 entries, expected an array of 1 to 16 objects"),
    (
      "{ listeners: [\n{ serves: [\"websocket\"] }] }", 2, "listeners[0].address",
      "found nothing, expected \"IP:PORT\", \"[IPv6]:PORT\" or \"unix:/path\"; an address, not a name, 1 to 256 characters"
    ),
    (
      "{ listeners: [{ address: \"localhost:80\" }] }", 1, "listeners[0].address",
      "found \"localhost:80\", expected \"IP:PORT\", \"[IPv6]:PORT\" or \"unix:/path\"; an address, not a name, "
        + "1 to 256 characters"
    ),
    (
      "{ listeners: [{ address: \"127.0.0.1:0\", serves: [\"websockets\"] }] }", 1, "listeners[0].serves[0]",
      "found \"websockets\", expected \"websocket\", \"openai\", \"mcp\", \"health\", \"metrics\" or \"monitor\"; "
        + "did you mean \"websocket\"?"
    ),
    (
      "{ listeners: [{ address: \"127.0.0.1:1\" },\n{ address: \"127.0.0.1:1\" }] }", 2, "listeners[1].address",
      "found \"127.0.0.1:1\" again, expected each address once"
    ),
    (
      "{ providers: [{ id: \"Kimi\" }] }", 1, "providers[0].id",
      "found \"Kimi\", expected lower-case letters, digits, '-', '_' and '.', 1 to 64 characters"
    ),
    (
      "{ providers: [{ id: \"a\" },\n{ id: \"a\" }] }", 2, "providers[1].id", "found \"a\" again, expected each id once"
    ),
    (
      "{ providers: [{ id: \"a\", base_url: \"https://me:pass@host/v1\" }] }", 1, "providers[0].base_url",
      "found another text, expected an http or https URL without user, query and fragment, 8 to 2,048 characters"
    ),
    (
      "{ providers: [{ id: \"a\", models: [7] }] }", 1, "providers[0].models[0]",
      "found 7, expected a model id or an object"
    ),
    (
      "{ providers: [{ id: \"a\", models: [{}] }] }", 1, "providers[0].models[0].id",
      "found nothing, expected a text without control characters, 1 to 100 characters"
    ),
    ("{ providers: [{ id: \"a\", settings: [] }] }", 1, "providers[0].settings", "found an array, expected an object"),
    (
      "{ providers: [{ id: \"a\", settings: { x: [NaN] } }] }", 1, "providers[0].settings",
      "found Infinity or NaN, expected numbers that JSON has"
    ),
    (
      "{ default_model: \"a\\nb\" }", 1, "default_model",
      "found \"a\\nb\", expected a text without control characters, 1 to 100 characters"
    ),
    (
      "{ rates: { global: { burst: 1 } } }", 1, "rates.global.per_second",
      "found nothing, expected a whole number of messages from 1 to 1,000,000"
    ),
    (
      "{ limits: { queue_seconds: 8 } }", 1, "limits.queue_seconds",
      "found 8 with timeouts.heartbeat_seconds 8, expected less than heartbeat_seconds: a waiting call shows no sign of life"
    ),
    (
      "{ limits: { buffered_bytes: 67108863 } }", 1, "limits.buffered_bytes",
      "found 67108863 with frame_bytes 16777216, expected at least 4 × frame_bytes, 67108864; "
        + "raise it or lower frame_bytes"
    ),
    (
      "{ limits: { frame_bytes: 5000, arguments_bytes: 5001 } }", 1, "limits.arguments_bytes",
      "found 5001 with frame_bytes 5000, expected at most frame_bytes: arguments come in a frame; "
        + "lower it or raise frame_bytes"
    ),
    (
      "{\n  limits: {\n    in_flight: 1\n    sessions: 2 } }", 4, "",
      "found text that is not JSON5 in column 5, expected JSON5; found 's', expected ',' or '}'"
    ),
  ])
  func `a bad value is refused with its place and what to do`(text: String, line: Int, path: String, message: String) {
    let errors = ConfigurationReading.errors(text)
    #expect(errors.map(\.message) == [message])
    #expect(errors.map(\.path) == [path])
    #expect(errors.map(\.line) == [line])
    let place = path.isEmpty ? "" : "\(path): "
    #expect(errors.map(\.description) == ["/etc/patchbay/patchbay.json5:\(line): \(place)\(message)"])
  }

  @Test func `all faults are told at once`() {
    let errors = ConfigurationReading.errors(
      "{ nope: 1,\n limits: { in_flight: 0,\n sessions: 'x' },\n providers: [{}],\n storage: { kind: 'redis' } }")
    #expect(errors.map(\.line) == [1, 2, 3, 4, 5])
    #expect(errors.map(\.kind) == [.unknownKey, .outOfRange, .wrongType, .missingKey, .malformed])
  }

  @Test(arguments: [(99, 99), (100, 100), (101, 101), (5000, 101)])
  func `the faults that are shown are bounded`(faults: Int, shown: Int) {
    let text = "{" + (0..<faults).map { "x\($0): 1" }.joined(separator: ",") + "}"
    let errors = ConfigurationReading.errors(text)
    #expect(errors.count == shown)
    #expect(faults <= 100 || errors.last?.found == "\(faults - 100) more faults")
  }

  @Test(arguments: [
    ("127.0.0.1:0", true), ("127.1.2.3:80", true), ("[::1]:80", true), ("[::ffff:127.0.0.1]:80", true),
    ("unix:/run/x", true), ("0.0.0.0:80", false), ("[::]:80", false), ("10.0.0.1:80", false), ("[fe80::1]:80", false),
    ("[::ffff:10.0.0.1]:80", false),
  ])
  func `without a principal only this machine is served`(address: String, isAccepted: Bool) {
    let text = "{ listeners: [{ address: \"\(address)\" }] }"
    let errors = ConfigurationReading.errors(text)
    #expect(errors.isEmpty == isAccepted)
    #expect(isAccepted || errors[0].remedy.hasPrefix("set auth.principals in the file or PATCHBAY_TOKEN"))
    #expect(ConfigurationReading.errors(text, environment: ["PATCHBAY_TOKEN": "0123456789abcdef"]) == [])
  }

  @Test(arguments: [
    "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:８０", "1.2.3:80",
    "256.0.0.1:80", "::1:80", "[::1]", "[::1:80", "[1.2.3.4]:80", "[::g]:80", "unix:", "unix:a\u{0}b", "*:80",
  ])
  func `what is no address is refused`(text: String) {
    let quoted = text.replacing("\u{0}", with: "\\0")
    let errors = ConfigurationReading.errors("{ listeners: [{ address: '\(quoted)' }] }")
    #expect(errors.count == 1 && errors[0].path == "listeners[0].address")
  }

  @Test(arguments: [(106, true), (107, true), (108, false)])
  func `a socket's path fits into its address`(count: Int, isAccepted: Bool) {
    let name = String(repeating: "s", count: count - "/etc/patchbay/".count)
    let errors = ConfigurationReading.errors("{ listeners: [{ address: \"unix:\(name)\" }] }")
    #expect(errors.isEmpty == isAccepted)
  }

  @Test(arguments: [
    "", "ftp://h", "http://", "https:///v1", "http://h:0", "http://h:65536", "http://h:", "http://u@h", "http://h/?q",
    "http://h/#f", "http://h/a b", "http://h/\u{7F}", "http://hö/", "http://h\\x", "http://[::1", "http://[::g]/",
    "http://[::1]x/", "HTTP://h", "http://h/\r\nx: y",
  ])
  func `what is no base URL is refused`(text: String) {
    #expect(WebAddress(text) == nil)
  }

  @Test func `a web address knows its parts`() throws {
    let address = try #require(WebAddress("https://api.example:8443/v1/x"))
    #expect(address.authority == "api.example:8443")
    #expect(address.path == "/v1/x")
    #expect(WebAddress("http://[::1]:80")?.path == "")
  }
}
