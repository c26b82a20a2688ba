import Wire

/// One path of a listener without an upgrade: who may ask for it, and how, and who answers.
struct Route {
  enum Access {
    /// Probes and logins have no token.
    case open
    /// Once principals are configured: a viewer or an admin.
    case viewer
    /// Once principals are configured: an admin.
    case admin
  }

  var methods: [String] = ["GET"]
  var access = Access.viewer
  /// Whether any web page may read the answer; without it, only those of `auth.origins`.
  var isForAnyOrigin = false
  /// Decides by the head alone; the router has checked method, Host, Origin and access. Thread: the loop's.
  var answer: (HTTPRequestHead, HostLoop) -> HTTPDecision

  /// nil: nothing is served at this path by a listener that serves `services`.
  static func at(_ path: String, of services: Configuration.Services) -> Route? {
    if services.contains(.health), let route = HealthFace.route(at: path) { return route }
    if services.contains(.metrics), let route = MetricsFace.route(at: path) { return route }
    if services.contains(.monitor), let route = MonitorFace.route(at: path) { return route }
    if services.contains(.monitor), let route = PageFace.route(at: path) { return route }
    if services.contains(.monitor), let route = HistoryFace.route(at: path) { return route }
    return nil
  }

  /// As the Allow header says it: HEAD goes wherever GET does, and OPTIONS everywhere.
  var allowed: String {
    (methods.flatMap { $0 == "GET" ? ["GET", "HEAD"] : [$0] } + ["OPTIONS"]).joined(separator: ", ")
  }

  func allows(_ method: String) -> Bool { methods.contains(method == "HEAD" ? "GET" : method) }
}
