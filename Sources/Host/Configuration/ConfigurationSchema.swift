/// Every setting of the file, in the order in which the example shows them: key, default (taken from
/// `Configuration()`), bounds, unit and reason. Reading, the example file and the tests go by this one table.
enum ConfigurationSchema {
  static let settings: [Setting<Configuration>] = [
    .list(
      "listeners", \.listeners, 1...16, "Where the host listens, and what each place answers.", Self.listener
    ).sample("{ address: \"127.0.0.1:8079\", serves: [\"websocket\", \"health\", \"monitor\"] },"),
    .object(
      "auth", "Who may connect. Without principals everyone may, on loopback and unix listeners only.", Self.auth),
    .text(
      "state_directory", \.stateDirectory, 1...4096, .path, "Plugin copies, the database and the control socket."),
    .object(
      "files", "Which files a call may name.",
      [
        .texts(
          "roots", \.files.roots, 0...64, characters: 1...4096, .path,
          "Directories below which path arguments may point; empty: paths are refused."
        ).notInForce("taking files", unless: { $0.files.roots.isEmpty })
      ]),
    .object(
      "plugins", "Where plugins come from.",
      [
        .texts(
          "directories", \.plugins.directories, 0...64, characters: 1...4096, .path,
          "Searched in this order, then PATCHBAY_PLUGIN_PATH, then /usr/local/lib and /usr/lib/patchbay/plugins."),
        .flag(
          "watch", \.plugins.watch,
          "A changed plugin directory, or this file when it has changed, takes effect without a restart."),
      ]),
    .list(
      "providers", \.providers, 1...64,
      "The providers, in order of preference, and no others. Absent: those whose keys are in the environment.",
      Self.provider
    ).sample(
      "{ id: \"kimi\", api_key: \"env:KIMI_API_KEY\", limits: { in_flight: 6 } },",
      "{ id: \"local\", plugin: \"openai-compatible\", base_url: \"http://127.0.0.1:11434/v1\", models: [\"llama3.2\"] },"
    ),
    .flag("echo", \.echo, "Whether the Echo provider joins the detected ones; without a key it answers by itself."),
    .text(
      "default_model", \.defaultModel, 1...100, .plain,
      "The model of calls that name none. Absent: the first model of the first active provider."
    ).sample("\"kimi-k2.6\""),
    .object("limits", "What may be at once, and how large; beyond it calls and connections are refused.", Self.limits),
    .object("timeouts", "How long anything may take.", Self.timeouts),
    .object("websocket", "How WebSocket messages travel.", Self.websocket),
    .object("retry", "Second tries of a call that has emitted nothing.", Self.retry),
    .object("breaker", "When a failing provider is left alone.", Self.breaker),
    .list("fallback", \.fallback, 0...64, "Models that may answer for others. Empty: never.", Self.fallback)
      .sample("{ from: \"kimi-k2\", to: [\"glm-4.5-flash\"] },"),
    .object("rates", "Token buckets for the messages of clients. Absent: unlimited.", Self.rates),
    .object("results", "Finished results, kept for calls that are repeated.", Self.results),
    .object("sessions", "How long sessions live.", Self.sessions),
    .object("storage", "The past of the most important figures, for /history and the page.", Self.storage),
    .object("alerts", "Who is told when an alert begins or ends, beside the log and /health.", Self.alerts),
    .count(
      "loops", \.loops, 1...256, unit: "threads", "Event loops. Absent: one for each core that is online."
    ).machineDependent().sample("2"),
    .object(
      "log", "The log: on standard error, or in a file.",
      [
        .choice(
          "level", \.log.level, LogLevel.allCases.map { ($0.name, $0) }, "The least important line that is written."),
        .choice("format", \.log.format, [("text", .text), ("json", .json)], "How a line is laid out."),
        .text(
          "file", \.log.file, 1...4096, .path,
          "Lines are appended to it; SIGUSR1 opens it anew once it was moved away. Absent: standard error."
        ).sample("\"/var/log/patchbay/patchbay.log\""),
      ]),
    .object(
      "metrics", "The figures of /metrics.",
      [
        .flag(
          "counting", \.metrics.counting,
          "Whether calls, connections and bytes are counted as they pass. Off only to measure what that costs.")
      ]),
  ]

  static let limits: [Setting<Configuration>] = [
    .count("in_flight", \.limits.inFlight, 1...10_000, unit: "calls", "Running at once, for all providers together."),
    .count(
      "session_in_flight", \.limits.sessionInFlight, 1...1000, unit: "calls",
      "Running or waiting at once for one session."),
    .count("sessions", \.limits.sessions, 1...1_000_000, unit: "sessions", "Open at once."),
    .count("connections", \.limits.connections, 1...1_000_000, unit: "connections", "Open at once, in all."),
    .count(
      "connections_per_address", \.limits.connectionsPerAddress, 1...1_000_000, unit: "connections",
      "Open at once from one IP address."),
    .count("frame_bytes", \.limits.frameBytes, 1024...1_073_741_824, unit: "bytes", "The largest message of a client."),
    .count(
      "arguments_bytes", \.limits.argumentsBytes, 1024...104_857_600, unit: "bytes",
      "The largest arguments of a call; at most frame_bytes."),
    .count("file_bytes", \.limits.fileBytes, 1...10_737_418_240, unit: "bytes", "The largest file a call may name."),
    .count(
      "buffered_bytes", \.limits.bufferedBytes, 65_536...1_099_511_627_776, unit: "bytes",
      "What all connections together may hold of messages that come or wait to be sent; beyond it, those that hold the "
        + "most are closed. At least 4 × frame_bytes. Absent: 256 MiB, or 4 × frame_bytes if that is more."
    ).derived(),
    .seconds(
      "queue_seconds", \.limits.queueMilliseconds, 0...299_999,
      "How long a call may wait in a provider's queue; under heartbeat_seconds, absent: three quarters of it."
    ).derived(),
  ]

  static let timeouts: [Setting<Configuration>] = [
    .seconds("tool_seconds", \.timeouts.toolMilliseconds, 100...3_600_000, "The whole of a call, waiting included."),
    .seconds(
      "daemon_seconds", \.timeouts.daemonMilliseconds, 100...36_000_000,
      "When the host gives a call up; at least 1.5 × tool_seconds, which it is when absent."
    ).derived(),
    .seconds(
      "shim_seconds", \.timeouts.shimMilliseconds, 100...36_000_000,
      "When a process between host and client gives up; at least 2.0 × tool_seconds, which it is when absent."
    ).derived(),
    .seconds(
      "client_seconds", \.timeouts.clientMilliseconds, 100...36_000_000,
      "When clients should give up; at least 2.5 × tool_seconds, which it is when absent."
    ).derived(),
    .seconds("hello_seconds", \.timeouts.helloMilliseconds, 100...300_000, "For a client to say hello."),
    .seconds(
      "request_seconds", \.timeouts.requestMilliseconds, 100...300_000,
      "For the whole head of an HTTP request; its body must then come at 8 KiB a second, after as long."),
    .seconds(
      "keep_alive_seconds", \.timeouts.keepAliveMilliseconds, 100...3_600_000,
      "For the next request on an HTTP connection."),
    .seconds("connect_seconds", \.timeouts.connectMilliseconds, 100...300_000, "For a connection to an upstream."),
    .seconds(
      "first_token_seconds", \.timeouts.firstTokenMilliseconds, 100...3_600_000,
      "From the opening of a call to the first piece of its answer."),
    .seconds(
      "progress_seconds", \.timeouts.progressMilliseconds, 100...3_600_000,
      "Between two pieces of an answer; heartbeats and empty pieces do not count."),
    .seconds(
      "heartbeat_seconds", \.timeouts.heartbeatMilliseconds, 100...300_000,
      "Between the signs of life that the client of a running call gets."),
    .seconds(
      "message_seconds", \.timeouts.messageMilliseconds, 100...3_600_000,
      "For a client to send 16 KiB more of a message that it has begun, or all of it."),
    .seconds(
      "client_stall_seconds", \.timeouts.clientStallMilliseconds, 100...3_600_000,
      "For a client to take 16 KiB of what waits for it, or all of it."),
    .seconds(
      "drain_seconds", \.timeouts.drainMilliseconds, 0...3_600_000, "For running calls to end when the host stops."),
  ]

  static let websocket: [Setting<Configuration>] = [
    .flag(
      "compression", \.websocket.compression,
      "Whether clients that offer permessage-deflate get it; needs libz.so.1. Worth it over slow lines only."),
    .count(
      "compression_threshold_bytes", \.websocket.compressionThresholdBytes, 0...1_073_741_824, unit: "bytes",
      "Shorter messages are sent as they are."),
    .count(
      "compression_ratio", \.websocket.compressionRatio, 10...1_032, unit: "times",
      "How much longer a client's message may become, beyond its first MiB; deflate has 1,032 at most."),
    .count(
      "compression_window_bits", \.websocket.compressionWindowBits, 9...15, unit: "bits",
      "The window, as a power of two: 15 takes 40 KiB in and 262 KiB out, 9 takes 8 KiB and 10 KiB."),
    .count(
      "compression_takeover_connections", \.websocket.takeoverConnections, 0...1_000_000, unit: "connections",
      "May keep their windows between messages, and so the memory for them; the others share it."),
  ]

  static let retry: [Setting<Configuration>] = [
    .count(
      "attempts", \.retry.attempts, 1...10, unit: "tries", "The first try counts, and those of other models too."),
    .seconds("budget_seconds", \.retry.budgetMilliseconds, 0...3_600_000, "From the first try of a call to its last."),
    .seconds("backoff_seconds", \.retry.backoffMilliseconds, 0...60_000, "Before the second try; then it doubles."),
  ]

  static let breaker: [Setting<Configuration>] = [
    .count("failures", \.breaker.failures, 0...1000, unit: "failures", "In a row, before it opens; 0: never."),
    .seconds("open_seconds", \.breaker.openMilliseconds, 100...3_600_000, "Until one call may probe the provider."),
  ]

  static let rates: [Setting<Configuration>] = [
    .optional("principal", \.rates.principal, "For each principal.", Self.rate).sample("burst: 50, per_second: 5"),
    .optional("address", \.rates.address, "For each IP address.", Self.rate).sample("burst: 100, per_second: 10"),
    .optional("global", \.rates.global, "For all together.", Self.rate).sample("burst: 1000, per_second: 100"),
  ]

  static let rate: [Setting<Configuration.Rates.Rate>] = [
    .count("burst", \.burst, 1...1_000_000, unit: "messages", "What a full bucket holds.").required(),
    .count("per_second", \.perSecond, 1...1_000_000, unit: "messages", "What flows in each second.").required(),
  ]

  static let results: [Setting<Configuration>] = [
    .seconds("keep_seconds", \.results.keepMilliseconds, 0...86_400_000, "After the end of the call."),
    .count("keep_bytes", \.results.keepBytes, 0...10_737_418_240, unit: "bytes", "For all results together."),
  ]

  static let sessions: [Setting<Configuration>] = [
    .seconds(
      "idle_seconds", \.sessions.idleMilliseconds, 1000...604_800_000,
      "Without a message or a call, until it is closed."),
    .seconds("sweep_seconds", \.sessions.sweepMilliseconds, 1000...86_400_000, "Between two looks for idle sessions."),
    .seconds(
      "resume_seconds", \.sessions.resumeMilliseconds, 0...86_400_000,
      "How long a session outlives its connection when the client asked for it."
    ).notInForce("resuming sessions"),
  ]

  static let storage: [Setting<Configuration>] = [
    .choice("kind", \.storage.kind, [("sqlite", .sqlite), ("memory", .memory)], "A database, or nothing kept."),
    .text(
      "path", \.storage.path, 1...4096, .path, "The database's file. Absent: patchbay.db in state_directory."
    ).derived(),
    .seconds("sample_seconds", \.storage.sampleMilliseconds, 100...60_000, "Between two samples."),
    .count(
      "keep_days", \.storage.keepDays, 1...3_650, unit: "days",
      "Older points are dropped. Samples are kept for 6 hours, one point a minute for 2 days, one in 10 minutes so long."
    ),
    .count(
      "max_bytes", \.storage.maxBytes, 1_048_576...1_099_511_627_776, unit: "bytes",
      "The database's file; near it the oldest goes first. Its write-ahead log has up to 4 MiB beside it."),
  ]

  static let alerts: [Setting<Configuration>] = [
    .text(
      "webhook", \.alerts.webhookURL, 8...2048, .url,
      "Gets a POST with JSON for each; tried again when it fails. Absent: nobody is told."
    ).sample("\"https://alerts.example/patchbay\""),
    .secret(
      "webhook_token", { $0.alerts.webhookToken = $1 }, { $0.alerts.webhookToken }, characters: 8,
      "Sent along as a bearer's. A URL is shown with the configuration; what must not be belongs here."
    ).sample("\"env:ALERT_TOKEN\""),
  ]

  static let auth: [Setting<Configuration>] = [
    .list("principals", \.auth.principals, 0...10_000, "Who may connect, each by a token.", Self.principal)
      .sample("{ name: \"editor\", token: \"env:PATCHBAY_TOKEN\", role: \"client\" },"),
    .texts(
      "origins", \.auth.origins, 0...256, characters: 1...512, .browserOrigin,
      "Web pages whose scripts may connect, by their Origin."),
    .texts(
      "hosts", \.auth.hosts, 0...256, characters: 1...253, .host,
      "Names by which clients may address the host, beyond IP addresses and localhost."),
  ]
}
