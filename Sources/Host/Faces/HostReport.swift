import Bytes
import Decisions
import Glibc
import JSON

/// The host's figures at this moment, for the `health` operation and the tools that show them.
struct HostReport {
  let reading: Core.Reading
  let routing: Routing?
  let services: HostServices

  init(loop: HostLoop) {
    reading = loop.core.read(now: .now())
    routing = loop.routing
    services = loop.services
  }

  func writeHealth(to buffer: inout ByteBuffer) {
    buffer.append("{\"t\":")
    NativeFrames.appendWallTime(to: &buffer)
    buffer.append(",\"uptime_human\":\"")
    buffer.append(uptime)
    buffer.append("\",\"sessions\":")
    buffer.appendDecimal(reading.sessions)
    buffer.append(",\"connections\":")
    buffer.appendDecimal(reading.connections)
    buffer.append(",\"global_capacity\":")
    buffer.appendDecimal(reading.globalLimit)
    buffer.append(",\"global_in_flight\":")
    buffer.appendDecimal(reading.inFlight)
    buffer.append(",\"queued\":")
    buffer.appendDecimal(reading.queued)
    buffer.append(",\"overdue_leases\":")
    buffer.appendDecimal(reading.overdueLeases)
    buffer.append(",\"dropped_permits\":")
    buffer.appendDecimal(reading.counters.droppedPermits)
    buffer.append(",\"tool_count\":")
    buffer.appendDecimal(NativeTool.allCases.count + (routing?.tools.tools.count ?? 0))
    buffer.append(",\"state\":\"")
    buffer.append(reading.isDraining ? "draining" : routing == nil ? "starting" : "running")
    buffer.append("\",")
    writeState(to: &buffer)
    buffer.append(",\"counters\":")
    writeCounters(to: &buffer)
    buffer.append(",\"process\":")
    writeProcess(to: &buffer)
    buffer.append(",\"providers\":{")
    writeProviders(to: &buffer)
    buffer.append("}}")
  }

  /// What `/health` says of the host's parts, without their figures, which have their own members here.
  private func writeState(to buffer: inout ByteBuffer) {
    let report = services.health.report(now: .now())
    buffer.append("\"status\":")
    buffer.appendJSON(string: report.status.name)
    buffer.append(",\"components\":")
    JSONValue.object(
      report.components.map { component in
        var copy = component
        copy.details = []
        return .init(copy.name.rawValue, copy.json)
      }
    ).write(to: &buffer)
    buffer.append(",\"alerts\":")
    JSONValue.array(report.alerts.map(\.json)).write(to: &buffer)
  }

  private func writeCounters(to buffer: inout ByteBuffer) {
    buffer.append("{\"admitted\":")
    buffer.appendDecimal(reading.counters.admitted)
    buffer.append(",\"released\":")
    buffer.appendDecimal(reading.counters.released)
    buffer.append(",\"refused\":")
    buffer.appendDecimal(reading.counters.refused)
    buffer.append(",\"rate_limited\":")
    buffer.appendDecimal(reading.counters.rateLimited)
    buffer.append(",\"recovered_leases\":")
    buffer.appendDecimal(reading.counters.recoveredLeases)
    buffer.append(",\"dropped_permits\":")
    buffer.appendDecimal(reading.counters.droppedPermits)
    buffer.append("}")
  }

  /// `null` for what /proc does not say.
  private func writeProcess(to buffer: inout ByteBuffer) {
    let figures: [(StaticString, Int?)] = [
      (",\"resident_bytes\":", ProcessFigures.residentBytes), (",\"descriptors\":", ProcessFigures.descriptors),
      (",\"threads\":", ProcessFigures.threads),
    ]
    buffer.append("{\"pid\":")
    buffer.appendDecimal(Int(getpid()))
    for (name, value) in figures {
      buffer.append(name)
      if let value { buffer.appendDecimal(value) } else { buffer.append("null") }
    }
    buffer.append("}")
  }

  private func writeProviders(to buffer: inout ByteBuffer) {
    guard let routing else { return }
    for (place, index) in routing.active.enumerated() {
      let provider = routing.providers[index]
      if place > 0 { buffer.append(",") }
      buffer.appendJSON(string: provider.information.id)
      buffer.append(":{\"state\":\"active\",\"plugin\":")
      buffer.appendJSON(string: provider.information.pluginID)
      if reading.providers.indices.contains(index) {
        let figures = reading.providers[index]
        buffer.append(",\"limit\":")
        buffer.appendDecimal(figures.limit)
        buffer.append(",\"configured_limit\":")
        buffer.appendDecimal(figures.configuredLimit)
        buffer.append(",\"in_flight\":")
        buffer.appendDecimal(figures.inFlight)
        buffer.append(",\"queued\":")
        buffer.appendDecimal(figures.queued)
        buffer.append(",\"breaker\":\"")
        buffer.append(figures.breaker.name)
        buffer.append("\",\"upstream_calls\":")
        buffer.appendDecimal(figures.attempts)
      }
      buffer.append(",\"models\":")
      buffer.appendDecimal(routing.catalogue.models.filter { $0.provider == index }.count)
      buffer.append(",\"generation\":")
      buffer.appendDecimal(routing.generations[index])
      if let update = routing.refusedUpdates.first(where: { $0.provider == provider.information.id }) {
        buffer.append(",\"update_refused\":{\"path\":")
        buffer.appendJSON(string: update.path)
        buffer.append(",\"reason\":")
        buffer.appendJSON(string: update.reason)
        buffer.append("}")
      }
      buffer.append("}")
    }
  }

  func writeModels(to buffer: inout ByteBuffer) {
    buffer.append("[")
    for (index, model) in (routing?.catalogue.models ?? []).enumerated() {
      if index > 0 { buffer.append(",") }
      model.write(to: &buffer)
    }
    buffer.append("]")
  }

  func writeCapabilities(to buffer: inout ByteBuffer) {
    buffer.append("{")
    for (place, index) in (routing?.active ?? []).enumerated() {
      guard let provider = routing?.providers[index] else { continue }
      if place > 0 { buffer.append(",") }
      buffer.appendJSON(string: provider.information.id)
      buffer.append(":{\"name\":")
      buffer.appendJSON(string: provider.information.displayName)
      buffer.append(",\"temperature_max\":")
      buffer.appendJSON(double: provider.information.temperatureMax)
      let models = (routing?.catalogue.models ?? []).filter { $0.provider == index }
      let capabilities = Set(models.flatMap(\.capabilities)).sorted()
      buffer.append(",\"capabilities\":")
      JSONValue.array(capabilities.map(JSONValue.string)).write(to: &buffer)
      buffer.append(",\"models\":")
      JSONValue.array(models.map { .string($0.id) }).write(to: &buffer)
      buffer.append("}")
    }
    buffer.append("}")
  }

  func writeVersion(to buffer: inout ByteBuffer) {
    buffer.append("{\"name\":\"patchbay\",\"version\":")
    buffer.appendJSON(string: services.version)
    buffer.append(",\"protocol\":1}")
  }

  var uptimeSeconds: UInt64 { Instant.now().nanoseconds(since: services.startedAt) / 1_000_000_000 }

  /// `0:00:58`
  var uptime: String {
    let seconds = uptimeSeconds
    func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(seconds / 3600):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
  }
}
