import JSON

/// What one look makes of a component.
struct ComponentReading: Sendable, Equatable {
  var status: HealthReport.Status
  var message: String
  /// "" when healthy.
  var remedy = ""
  var details: [JSONValue.Member] = []

  static func healthy(_ message: String, _ details: [JSONValue.Member] = []) -> ComponentReading {
    ComponentReading(status: .healthy, message: message, details: details)
  }
}

/// A component over time.
///
/// | state              | reading          | then                                             |
/// |--------------------|------------------|--------------------------------------------------|
/// | any                | the same status  | the same, since the same time, with its message  |
/// | healthy            | degraded or worse| that, since now                                  |
/// | degraded, unhealthy| another status   | that, since now                                  |
///
/// What must not flap is not decided here: the readings go by alerts, which have a hysteresis.
struct ComponentState: Sendable, Equatable {
  private(set) var component: HealthReport.Component

  /// - Parameter wall: milliseconds since 1970.
  init(_ name: HealthReport.Component.Name, _ reading: ComponentReading, wall: UInt64) {
    component = HealthReport.Component(
      name: name, status: reading.status, message: reading.message, since: wall, remedy: reading.remedy,
      details: reading.details)
  }

  mutating func step(_ reading: ComponentReading, wall: UInt64) {
    if reading.status != component.status { component.since = wall }
    component.status = reading.status
    component.message = reading.message
    component.remedy = reading.remedy
    component.details = reading.details
  }
}
