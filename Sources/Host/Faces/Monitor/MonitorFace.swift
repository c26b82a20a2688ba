import Wire

/// What a listener answers that serves `monitor`, the page's own files apart (docs/monitor.md).
enum MonitorFace {
  /// nil: nothing is served at this path.
  static func route(at path: String) -> Route? {
    switch path {
    case "/events":
      return Route { head, loop in
        guard let caller = Caller(head, loop.services) else { return .reply(.error(401, "nobody is known by this")) }
        return .handle(FeedWatcher(caller, loop), bodyBytesLimit: 0)
      }
    default: return nil
    }
  }
}
