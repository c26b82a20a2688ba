import Bytes
import JSON

/// `patchbay status`: permits, sessions and providers of a running host, and whether it is well.
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
      let troubles = troubles(of: health)
      Terminal.print(options.has("--json") ? health.text : screen(url, health, troubles))
      return troubles.isEmpty ? Command.Exit.success : Command.Exit.failure
    } catch let error as ClientError {
      Terminal.error("patchbay status: \(error)")
      return error.isUnreachable ? Command.Exit.unreachable : Command.Exit.failure
    }
  }

  private static func troubles(of health: JSONValue) -> [String] {
    var troubles: [String] = []
    let state = health["state"]?.string ?? "unknown"
    if state != "running" { troubles.append("the host is \(state)") }
    if health["providers"]?.members?.isEmpty ?? true { troubles.append("no provider is active") }
    for provider in health["providers"]?.members ?? [] {
      guard let breaker = provider.value["breaker"]?.string, breaker != "closed" else { continue }
      troubles.append("\(provider.key) failed too often; its breaker is \(breaker)")
    }
    if let overdue = health["overdue_leases"]?.integer, overdue > 0 {
      troubles.append("\(overdue) calls hold a permit past their deadline")
    }
    if let dropped = health["dropped_permits"]?.integer, dropped > 0 {
      troubles.append("\(dropped) permits were dropped instead of released")
    }
    return troubles
  }

  private static func screen(_ url: String, _ health: JSONValue, _ troubles: [String]) -> String {
    func number(_ name: String) -> Int64 { health[name]?.integer ?? 0 }
    var lines = [
      "\(url)  \(troubles.isEmpty ? "healthy" : "degraded")  up \(health["uptime_human"]?.string ?? "?")",
      "permits    \(number("global_in_flight")) of \(number("global_capacity")) in flight, \(number("queued")) waiting",
      "clients    \(number("connections")) connections, \(number("sessions")) sessions",
    ]
    for provider in health["providers"]?.members ?? [] {
      let name = provider.key + String(repeating: " ", count: max(1, 11 - provider.key.count))
      let value = provider.value
      let breaker = value["breaker"]?.string ?? "closed"
      lines.append(
        "\(name)\(value["state"]?.string ?? "?")\(breaker == "closed" ? "" : ", breaker \(breaker)"), \(value["in_flight"]?.integer ?? 0) of "
          + "\(value["limit"]?.integer ?? 0) in flight, \(value["models"]?.integer ?? 0) models")
    }
    lines += troubles.map { "! \($0)" }
    return lines.joined(separator: "\n")
  }
}
