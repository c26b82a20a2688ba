import Bytes
import Glibc
import JSON

/// `patchbay status`: permits, sessions and providers of a running host, whether it is well, why not, and what to do.
enum StatusCommand {
  static func run(_ options: Options) throws -> Int32 {
    try options.requireNoPositional()
    let url = options["--url"] ?? ClientDefaults.url
    do {
      let connection = try ClientConnection(
        url: url, token: options["--token"] ?? ClientDefaults.token, authorities: options["--ca"])
      var request = ByteBuffer()
      request.append("{\"op\":\"health\"}")
      try connection.send(request.readable)
      let frame = try connection.receive()
      guard let health = frame["health"] else {
        throw ClientError(description: "\(url) answered without its health: \(frame.text)")
      }
      Terminal.print(options.has("--json") ? health.text : screen(url, health))
      return status(of: health) == "healthy" ? Command.Exit.success : Command.Exit.failure
    } catch let error as ClientError {
      Terminal.error("patchbay status: \(error)")
      return error.isUnreachable ? Command.Exit.unreachable : Command.Exit.failure
    }
  }

  private static func status(of health: JSONValue) -> String { health["status"]?.string ?? "unknown" }

  private static func screen(_ url: String, _ health: JSONValue) -> String {
    func number(_ name: String) -> Int64 { health[name]?.integer ?? 0 }
    let state = health["state"]?.string ?? "unknown"
    var lines = [
      "\(url)  \(status(of: health))\(state == "running" ? "" : ", \(state)")  up \(health["uptime_human"]?.string ?? "?")",
      "permits    \(number("global_in_flight")) of \(number("global_capacity")) in flight, \(number("queued")) waiting",
      "clients    \(number("connections")) connections, \(number("sessions")) sessions",
    ]
    for provider in health["providers"]?.members ?? [] {
      let value = provider.value
      let breaker = value["breaker"]?.string ?? "closed"
      lines.append(
        "\(column(provider.key))\(value["state"]?.string ?? "?")\(breaker == "closed" ? "" : ", breaker \(breaker)"), "
          + "\(value["in_flight"]?.integer ?? 0) of \(value["limit"]?.integer ?? 0) in flight, "
          + "\(value["models"]?.integer ?? 0) models")
    }
    return (lines + components(health) + alerts(health)).joined(separator: "\n")
  }

  /// Those that are not well, each with its reason and what to do.
  private static func components(_ health: JSONValue) -> [String] {
    (health["components"]?.members ?? []).filter { $0.value["status"]?.string != "healthy" }.flatMap { component in
      let value = component.value
      return [
        "! \(column(component.key))\(value["status"]?.string ?? "?") since \(time(value["since"])): "
          + (value["message"]?.string ?? "")
      ] + remedy(value)
    }
  }

  private static func alerts(_ health: JSONValue) -> [String] {
    (health["alerts"]?.array ?? []).flatMap { alert in
      let severity = alert["severity"]?.string?.uppercased() ?? "?"
      return [
        "\(severity) \(alert["name"]?.string ?? "?") of \(alert["subject"]?.string ?? "?") since \(time(alert["since"])): "
          + (alert["message"]?.string ?? "")
      ] + remedy(alert)
    }
  }

  private static func remedy(_ value: JSONValue) -> [String] {
    guard let remedy = value["remedy"]?.string, !remedy.isEmpty else { return [] }
    return ["  \(remedy)"]
  }

  private static func column(_ name: String) -> String {
    name + String(repeating: " ", count: max(1, 11 - name.count))
  }

  /// `15:50:12`, in the terminal's own zone.
  private static func time(_ milliseconds: JSONValue?) -> String {
    var seconds = time_t((milliseconds?.integer ?? 0) / 1000)
    var parts = tm()
    localtime_r(&seconds, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
  }
}
