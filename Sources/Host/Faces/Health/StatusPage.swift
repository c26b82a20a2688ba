import Bytes

/// The page at `/`: the host's figures at this moment, for a browser. No script, nothing fetched.
struct StatusPage {
  private let report: HostReport

  init(loop: HostLoop) { report = HostReport(loop: loop) }

  var reply: HTTPReply {
    HTTPReply(
      status: 200, contentType: "text/html; charset=utf-8", body: html,
      headers: [
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"), ("Cache-Control", "no-store"),
      ])
  }

  private var html: String {
    let reading = report.reading
    var rows = [
      row("permits", "\(reading.inFlight) of \(reading.globalLimit) in flight, \(reading.queued) waiting"),
      row("clients", "\(reading.connections) connections, \(reading.sessions) sessions"),
      row("overdue leases", "\(reading.overdueLeases)"),
    ]
    for index in report.routing?.active ?? [] {
      guard let provider = report.routing?.providers[index], reading.providers.indices.contains(index) else { continue }
      let figures = reading.providers[index]
      let models = report.routing?.catalogue.models.count { $0.provider == index } ?? 0
      let breaker = figures.breaker.isClosed ? "" : ", breaker \(figures.breaker.name)"
      rows.append(
        row(
          provider.information.id,
          "active\(breaker), \(figures.inFlight) of \(figures.limit) in flight, \(models) models, "
            + "plugin \(provider.information.pluginVersion), generation \(report.routing?.generations[index] ?? 1)"))
    }
    for update in report.routing?.refusedUpdates ?? [] {
      rows.append(row("\(update.provider): update refused", "\(update.path): \(update.reason); \(update.remedy)"))
    }
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Patchbay</title>
      <style>body{font:16px/1.5 system-ui;margin:3em}td{padding:.2em 2em .2em 0}td:first-child{color:#666}</style></head>
      <body><h1>Patchbay \(Self.escaped(report.services.version))</h1>
      <p>\(reading.isDraining ? "draining" : report.routing == nil ? "starting" : "running"), up \(report.uptime)</p>
      <table>\(rows.joined())</table></body></html>

      """
  }

  private func row(_ name: String, _ value: String) -> String {
    "<tr><td>\(Self.escaped(name))</td><td>\(Self.escaped(value))</td></tr>"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
