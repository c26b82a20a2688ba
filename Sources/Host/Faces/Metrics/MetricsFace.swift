import Decisions
import Wire

/// `/metrics` (docs/metrics.md): every figure of the host at this moment, for Prometheus and what reads its formats.
///
/// Thread: the loop's.
enum MetricsFace {
  static let path = "/metrics"

  /// nil: nothing is served at this path.
  static func route(at path: String) -> Route? {
    guard path == Self.path else { return nil }
    return Route { head, loop in .reply(reply(head, loop)) }
  }

  private static func reply(_ head: HTTPRequestHead, _ loop: HostLoop) -> HTTPReply {
    let format = MetricText.Format(accept: head.headers.all("accept"))
    let metrics = loop.services.metrics
    let snapshot = metrics.snapshot(now: .now())
    return HTTPReply(
      status: 200, contentType: format.contentType,
      writeBody: { body in
        // As long as the last one and some, so that a scrape of a megabyte does not grow to it by doubling.
        body.reserve(metrics.textBytes.load(ordering: .relaxed))
        MetricText.append(snapshot, format, to: &body)
        metrics.textBytes.store(body.count + body.count / 8, ordering: .relaxed)
      }, headers: [("Cache-Control", "no-store"), ("Vary", "Accept")])
  }
}

extension MetricText.Format {
  /// What a client wants by its Accept headers (RFC 9110 §12.5.1): OpenMetrics if it asks for version 1.0.0 of it, and
  /// for nothing in plain text more; plain text otherwise.
  init(accept values: [String]) {
    var openMetrics = 0.0
    var plain = 0.0
    for item in values.flatMap({ $0.split(separator: ",") }) {
      let parts = item.split(separator: ";").map { HTTPText.trimmed($0).lowercased() }
      let quality = parts.first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      let version = parts.first { $0.hasPrefix("version=") }?.dropFirst(8)
      switch parts.first {
      case "application/openmetrics-text" where version == nil || version == "1.0.0":
        openMetrics = max(openMetrics, quality)
      case "text/plain" where version == nil || version == "0.0.4": plain = max(plain, quality)
      default: break
      }
    }
    self = openMetrics > 0 && openMetrics >= plain ? .openMetrics : .plain
  }
}
