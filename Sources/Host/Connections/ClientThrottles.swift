/// Lines about what a client did: one of each kind a second, so that no client fills the log. Thread: the loop's.
struct ClientThrottles {
  var shed = LogThrottle()
  var stalled = LogThrottle()
  var slow = LogThrottle()
  var flood = LogThrottle()
  var violation = LogThrottle()
}

extension HostLoop {
  /// Writes a line about a client, if there was none of its kind for a second.
  func warn(
    _ kind: WritableKeyPath<ClientThrottles, LogThrottle>, _ message: String, of connection: Connection,
    _ fields: LogField...
  ) {
    guard let unreported = throttles[keyPath: kind].admit(now: now) else { return }
    services.log.write(
      .warning, message, [("peer", connection.peerName)] + fields + [("unreported_total", "\(unreported)")])
  }
}
