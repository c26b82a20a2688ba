import CProviderABI

/// What a call may use while it runs: the host's clock, network and log, bound to the call so that its cancel and
/// deadline reach everything it waits for.
public struct CallContext: Sendable {
  let call: Call

  /// For logs and for trace headers to the upstream.
  public var requestID: String { String(decoding: call.requestID, as: UTF8.self) }

  /// When the host cancels the call; `ProviderHost.nowNanoseconds` is the clock.
  public var deadlineNanoseconds: UInt64 { call.deadlineNanoseconds }

  public var host: ProviderHost { call.host }

  /// Waits on the host's clock.
  ///
  /// - Throws: `.cancelled` at once when the call is cancelled; `.limit` beyond 16 timers of one call.
  public func sleep(nanoseconds: UInt64) async throws(ProviderError) {
    try await Timer(of: call).wait(nanoseconds: nanoseconds)
  }

  /// Sends a request and waits for the head of its answer, whatever its HTTP status.
  ///
  /// - Throws: `.network`, `.timeout`, `.permission`, `.limit`, `.cancelled`, or `.unsupported` without a network.
  public func http(_ request: HTTPRequest) async throws(ProviderError) -> HTTPExchange {
    try await HTTPExchange.begin(request, of: call)
  }

  /// Writes one line that carries the request's id: constant text, and what varies as fields. No key, no prompt.
  public func log(
    _ level: ProviderHost.LogLevel, _ message: StaticString, _ fields: KeyValuePairs<String, String> = [:]
  ) {
    call.host.write(call: call.handle, level, message, fields)
  }
}
