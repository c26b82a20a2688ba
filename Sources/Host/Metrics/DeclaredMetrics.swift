/// Every metric of the host. docs/metrics.md has the same table, and a test holds the two together.
///
/// A room with a `MetricSource` declares its own in a file of its own and is listed in `all`.
enum DeclaredMetrics {
  static let all: [MetricDeclaration] =
    requests + clocks + permits + clients + providers + host + genAI + health + history + log + [feedWatchers]

  // MARK: - Requests

  static let requestsTotal = MetricDeclaration.counter(
    "patchbay_requests_total", ["provider", "model", "tool", "outcome"],
    "Requests by how they were answered. Each of several that share a call counts. Without a provider: refused before "
      + "one was known, or answered by the host itself.")
  static let requestErrors = MetricDeclaration.counter(
    "patchbay_request_errors_total", ["provider", "code"],
    "Errors that clients were told, by the protocol's code. Without a provider: before one was known.")
  static let tokens = MetricDeclaration.counter(
    "patchbay_tokens_total", ["provider", "model", "direction"], "Tokens, as providers report them.")
  static let requests = [requestsTotal, requestErrors, tokens]

  // MARK: - Clocks

  static let duration = MetricDeclaration.histogram(
    "patchbay_request_duration_seconds", ["provider", "model"], BucketBounds.duration.shown,
    "From the valid request to its last frame. Calls that were refused have none; requests that share a call have one.")
  static let firstToken = MetricDeclaration.histogram(
    "patchbay_time_to_first_token_seconds", ["provider", "model"], BucketBounds.firstToken.shown,
    "From the valid request to the first piece of the answer, whether or not the client streams.")
  static let interChunk = MetricDeclaration.histogram(
    "patchbay_inter_chunk_seconds", ["provider", "model"], BucketBounds.interChunk.shown,
    "Between two pieces of an answer, by the turns of the loop: pieces that are read in one turn have no gap.")
  static let queueWait = MetricDeclaration.histogram(
    "patchbay_queue_wait_seconds", ["provider"], BucketBounds.queueWait.shown,
    "From the valid request to the permit, or to the end of the wait, of calls that had to wait for one.")
  static let stage = MetricDeclaration.histogram(
    "patchbay_stage_seconds", ["stage"], BucketBounds.stage.shown,
    "parse: from the whole message to the valid request. admit: from there to the permit, of calls that did not wait. "
      + "plugin: from the permit to the return of call_open, for each try. upstream: from there to the call's end. "
      + "write: from a connection's first byte that waits in a turn until the kernel has taken all of them.")
  static let cancelUpstream = MetricDeclaration.histogram(
    "patchbay_cancel_upstream_seconds", ["provider"], BucketBounds.cancel.shown,
    "From the turn that reads a cancel, or the client's end, until the upstream's connection is closed.")
  static let clocks = [duration, firstToken, interChunk, queueWait, stage, cancelUpstream]

  // MARK: - Permits

  static let permitsLimit = MetricDeclaration.gauge(
    "patchbay_permits_limit", ["provider"], "Calls that may run at once; an adaptive limit as it is now.")
  static let permitsInFlight = MetricDeclaration.gauge(
    "patchbay_permits_in_flight", ["provider"], "Calls that hold a permit.")
  static let permitsQueued = MetricDeclaration.gauge(
    "patchbay_permits_queued", ["provider"], "Calls that wait for a permit.")
  static let permitsOverdue = MetricDeclaration.gauge(
    "patchbay_permits_overdue", ["provider"], "Permits held past their deadline: the only thing that is a leak.")
  static let acquisitions = MetricDeclaration.counter(
    "patchbay_permit_acquisitions_total", ["provider"],
    "Permits that calls got of a provider, at once, after a wait or moved from another.")
  static let releases = MetricDeclaration.counter(
    "patchbay_permit_releases_total", ["provider"], "Permits that came back, or were moved to another provider.")
  static let exhaustions = MetricDeclaration.counter(
    "patchbay_permit_exhaustions_total", ["provider"],
    "Calls that found no free permit, of the provider or of the host; they waited or were refused.")
  static let hostPermitsLimit = MetricDeclaration.gauge(
    "patchbay_host_permits_limit", "Calls that may run at once, for all providers together.")
  static let hostPermitsInFlight = MetricDeclaration.gauge(
    "patchbay_host_permits_in_flight", "Calls that hold a permit, for all providers together.")
  static let hostPermitsQueued = MetricDeclaration.gauge(
    "patchbay_host_permits_queued", "Calls that wait for a permit, for all providers together.")
  static let hostPermitsOverdue = MetricDeclaration.gauge(
    "patchbay_host_permits_overdue", "Permits held past their deadline, for all providers together.")
  static let permits = [
    permitsLimit, permitsInFlight, permitsQueued, permitsOverdue, acquisitions, releases, exhaustions,
    hostPermitsLimit, hostPermitsInFlight, hostPermitsQueued, hostPermitsOverdue,
  ]

  // MARK: - Clients

  static let sessions = MetricDeclaration.gauge("patchbay_sessions", "Sessions that are open.")
  static let sessionsLimit = MetricDeclaration.gauge("patchbay_sessions_limit", "Sessions that may be open.")
  static let connections = MetricDeclaration.gauge(
    "patchbay_connections", "Connections that are open; those that are only told of a limit do not count.")
  static let connectionsLimit = MetricDeclaration.gauge("patchbay_connections_limit", "Connections that may be open.")
  static let connectionsCongested = MetricDeclaration.gauge(
    "patchbay_connections_congested", "Connections whose client takes its data too slowly, and that are not read.")
  static let connectionsTotal = MetricDeclaration.counter(
    "patchbay_connections_accepted_total", "Connections that were accepted, those over a limit among them.")
  static let connectionsClosed = MetricDeclaration.counter(
    "patchbay_connections_closed_total", ["reason"],
    "Connections that have ended. peer: it left. finished: the host had said its last word. error: the socket failed. "
      + "silent: it did not answer a ping, or the TLS handshake. stalled: it took no data. memory: the host had no room "
      + "for it. shutdown: the host stopped.")
  static let receivedBytes = MetricDeclaration.counter(
    "patchbay_received_bytes_total", "Bytes that clients sent, without TLS.")
  static let sentBytes = MetricDeclaration.counter("patchbay_sent_bytes_total", "Bytes sent to clients, without TLS.")
  static let bufferedBytes = MetricDeclaration.gauge(
    "patchbay_buffered_bytes", "Bytes that connections hold, of messages that come or wait to be sent.")
  static let clients = [
    sessions, sessionsLimit, connections, connectionsLimit, connectionsCongested, connectionsTotal, connectionsClosed,
    receivedBytes, sentBytes, bufferedBytes,
  ]

  // MARK: - Providers

  static let breakerState = MetricDeclaration.gauge(
    "patchbay_breaker_state", ["provider"], "0: closed. 1: open, calls are kept away. 2: half open, one call probes.")
  static let breakerOpens = MetricDeclaration.counter(
    "patchbay_breaker_opens_total", ["provider"], "How often the breaker has opened.")
  static let pluginGeneration = MetricDeclaration.gauge(
    "patchbay_plugin_generation", ["provider"], "Instances that have served under this name, the present one included.")
  static let upstreamAttempts = MetricDeclaration.counter(
    "patchbay_upstream_attempts_total", ["provider"], "Tries of calls that went to the provider.")
  static let workerRestarts = MetricDeclaration.counter(
    "patchbay_worker_restarts_total", ["provider"], "Workers that were started in place of one that ended.")
  static let workerQuarantined = MetricDeclaration.gauge(
    "patchbay_worker_quarantined", ["provider"], "1: the worker's plugin ended too often and is not started any more.")
  static let workerResident = MetricDeclaration.gauge(
    "patchbay_worker_resident_bytes", ["provider"], "Resident memory of the provider's worker.")
  static let providers = [
    breakerState, breakerOpens, pluginGeneration, upstreamAttempts, workerRestarts, workerQuarantined, workerResident,
  ]

  // MARK: - The host

  static let buildInfo = MetricDeclaration.gauge("patchbay_build_info", ["version"], "1, with the host's version.")
  static let uptime = MetricDeclaration.gauge("patchbay_uptime_seconds", "Since the host began to start.")
  static let ready = MetricDeclaration.gauge("patchbay_ready", "1: calls are taken. 0: the host starts or drains.")
  static let loopLag = MetricDeclaration.histogram(
    "patchbay_loop_lag_seconds", ["loop"], BucketBounds.turn.shown,
    "How long each turn of a loop took: what came meanwhile waited for so long at most.")
  static let processResident = MetricDeclaration.gauge("process_resident_memory_bytes", "Resident memory.")
  static let processDescriptors = MetricDeclaration.gauge("process_open_fds", "Open file descriptors.")
  static let processDescriptorsLimit = MetricDeclaration.gauge(
    "process_max_fds", "File descriptors that may be open.")
  static let processCPU = MetricDeclaration.counter(
    "process_cpu_seconds_total", "Processor time, of user and system together.")
  static let processStart = MetricDeclaration.gauge(
    "process_start_time_seconds", "When the process began, since 1970.")
  static let processThreads = MetricDeclaration.gauge("process_threads", "Threads of the process.")
  static let host = [
    buildInfo, uptime, ready, loopLag, processResident, processDescriptors, processDescriptorsLimit, processCPU,
    processStart, processThreads,
  ]

  // MARK: - OpenTelemetry's names for generative AI

  private static let genAILabels = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"]
  static let genAIDuration = MetricDeclaration.histogram(
    "gen_ai_server_request_duration_seconds", genAILabels + ["error_type"],
    Array(BucketBounds.duration.shown.filter { (0.01...81.92).contains($0) }),
    "patchbay_request_duration_seconds of chats, by the name of the semantic conventions.")
  static let genAIFirstToken = MetricDeclaration.histogram(
    "gen_ai_server_time_to_first_token_seconds", genAILabels,
    Array(BucketBounds.firstToken.shown.filter { (0.001...10).contains($0) }),
    "patchbay_time_to_first_token_seconds of chats, by the name of the semantic conventions.")
  static let genAIPerToken = MetricDeclaration.histogram(
    "gen_ai_server_time_per_output_token_seconds", genAILabels, BucketBounds.perToken.shown,
    "From the first piece of a complete answer to its end, for each output token after the first.")
  static let genAITokens = MetricDeclaration.histogram(
    "gen_ai_client_token_usage", genAILabels + ["gen_ai_token_type"], BucketBounds.tokens.shown,
    "Tokens of a chat, as its provider reports them.")
  static let genAI = [genAIDuration, genAIFirstToken, genAIPerToken, genAITokens]
}
