import Decisions
import JSON

/// Whether the host is well, why not, since when, and what to do: one moment of it.
struct HealthReport: Sendable, Equatable {
  enum Status: Int, Comparable, Sendable {
    case healthy, degraded, unhealthy

    static func < (left: Status, right: Status) -> Bool { left.rawValue < right.rawValue }
    var name: String { "\(self)" }
  }

  /// A part of the host with a state of its own.
  struct Component: Sendable, Equatable {
    /// In the order of the report.
    enum Name: String, CaseIterable, Sendable {
      case storage, memory, disk, semaphores, providers, websocket, queue, loops, log, configuration
    }

    var name: Name
    var status: Status
    /// What is so, for people.
    var message: String
    /// Of `status`; milliseconds since 1970.
    var since: UInt64
    /// What to do; "" when healthy.
    var remedy: String
    /// The figures behind it.
    var details: [JSONValue.Member]
  }

  typealias Alert = AlertBook.Alert

  /// unhealthy: no call can be served, or a loop stands still; degraded: a component is not healthy.
  var status: Status
  /// `starting`, `running`, `draining`, or why nothing is served.
  var state: String
  /// Whether calls are taken. Only without it do the health paths answer 503.
  var isReady: Bool
  /// false: a loop has not turned for so long that only a restart helps.
  var isLive: Bool
  var version: String
  var uptimeSeconds: UInt64
  var components: [Component]
  /// Those that are raised, the worst first.
  var alerts: [Alert]
  /// What was told last, the newest first; at most 100.
  var recentAlerts: [AlertBook.Transition]
  /// nil: none is configured.
  var webhook: AlertWebhook.Figures?

  subscript(_ name: Component.Name) -> Component? { components.first { $0.name == name } }

  var json: JSONValue { .object(members) }

  /// Of the body of `/health`, which also counts requests.
  var members: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("status", .string(status.name)), .init("state", .string(state)), .init("ready", .bool(isReady)),
      .init("version", .string(version)), .init("uptime_seconds", .integer(Int64(clamping: uptimeSeconds))),
      .init("components", .object(components.map { .init($0.name.rawValue, $0.json) })),
      .init("alerts", .array(alerts.map(\.json))), .init("recent_alerts", .array(recentAlerts.map(\.json))),
    ]
    if let webhook { members.append(.init("webhook", webhook.json)) }
    return members
  }
}

extension HealthReport.Component {
  var json: JSONValue {
    .object(
      [
        .init("status", .string(status.name)), .init("message", .string(message)),
        .init("since", .integer(Int64(clamping: since))), .init("remedy", .string(remedy)),
      ] + details)
  }
}

extension AlertBook.Alert {
  var json: JSONValue {
    .object([
      .init("name", .string(name)), .init("subject", .string(subject)), .init("severity", .string(severity.name)),
      .init("message", .string(message)), .init("remedy", .string(remedy)),
      .init("since", .integer(Int64(clamping: since))),
    ])
  }
}

extension AlertBook.Transition {
  var json: JSONValue { .object(members) }

  var members: [JSONValue.Member] {
    [
      .init("at", .integer(Int64(clamping: at))), .init("name", .string(name)), .init("subject", .string(subject)),
      .init("severity", .string(severity.rawValue)), .init("message", .string(message)),
      .init("remedy", .string(remedy)),
    ]
  }
}
