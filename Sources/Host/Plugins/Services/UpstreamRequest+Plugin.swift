import Decisions
internal import ProviderContract
internal import Wire

extension UpstreamRequest {
  /// What a plugin asked for, with what the host adds: the key, when the operator configured one, and the call's own
  /// `connectTimeout` (nanoseconds) and `deadline` where the plugin left a clock at 0.
  init(_ checked: CheckedHTTPRequest, key: String?, connectTimeout: UInt64, deadline: Instant) {
    self.init(method: checked.method, url: checked.url, headers: checked.headers, body: checked.body)
    credential = key.flatMap { key in
      switch checked.credential {
      case .none: nil
      case .bearer: ("Authorization", "Bearer " + key)
      case .header(let name): (name, key)
      }
    }
    mode = checked.wantsEvents ? .serverSentEvents : .body
    responseBytesLimit = checked.responseBytesLimit
    self.connectTimeout = checked.connectTimeout == 0 ? connectTimeout : checked.connectTimeout
    firstByteTimeout = checked.firstByteTimeout
    idleTimeout = checked.idleTimeout
    totalTimeout = checked.totalTimeout
    if checked.totalTimeout == 0 && deadline != .never {
      totalTimeout = max(1, deadline.nanoseconds(since: .now()))
    }
  }

  /// Adds the trace that the call is in, in place of what the plugin may say of one; nil: the call is in none.
  mutating func tell(_ trace: TraceContext?) {
    guard let trace else { return }
    headers.removeAll { $0.name.isEqualHeaderName("traceparent") || $0.name.isEqualHeaderName("tracestate") }
    headers.append(("traceparent", trace.parent))
    if !trace.state.isEmpty { headers.append(("tracestate", trace.state)) }
  }
}
