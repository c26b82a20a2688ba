import Bytes
import Decisions

/// Every provider and how it stands: the event `providers`.
struct ProvidersEvent {
  /// Models of one provider that are named.
  static let modelsLimit = 200

  private let rows: [ProviderBoard.Row]
  private let figures: [Core.ProviderReading]
  private let clock: WallClock
  private let now: Instant

  init(_ services: HostServices, _ clock: WallClock) {
    rows = services.monitor.providers.rows()
    now = .now()
    figures = services.core.read(now: now).providers
    self.clock = clock
  }

  func write(to buffer: inout ByteBuffer) {
    buffer.append("[")
    for (index, row) in rows.enumerated() {
      if index > 0 { buffer.append(",") }
      write(row, to: &buffer)
    }
    buffer.append("]")
  }

  private func write(_ row: ProviderBoard.Row, to buffer: inout ByteBuffer) {
    buffer.append("{\"id\":")
    buffer.appendJSON(string: row.id)
    buffer.append(",\"name\":")
    buffer.appendJSON(string: row.provider?.information.displayName ?? row.id)
    buffer.append(",\"state\":\"")
    buffer.append(row.state.rawValue)
    buffer.append("\",\"message\":")
    buffer.appendJSON(string: row.message)
    buffer.append(",\"since\":")
    buffer.appendDecimal(row.since)
    writePlugin(of: row, to: &buffer)
    writeFigures(of: row, to: &buffer)
    buffer.append(",\"models_total\":")
    buffer.appendDecimal(row.models.count)
    buffer.append(",\"models\":[")
    for (index, model) in row.models.prefix(Self.modelsLimit).enumerated() {
      if index > 0 { buffer.append(",") }
      buffer.appendJSON(string: model)
    }
    buffer.append("],\"update_refused\":")
    if let update = row.refusedUpdate { Self.write(update, to: &buffer) } else { buffer.append("null") }
    buffer.append("}")
  }

  private func writePlugin(of row: ProviderBoard.Row, to buffer: inout ByteBuffer) {
    guard let provider = row.provider else {
      return buffer.append(",\"isolation\":null,\"plugin\":null,\"generation\":0")
    }
    buffer.append(",\"isolation\":\"")
    buffer.append(provider.origin.isolation.rawValue)
    buffer.append("\",\"plugin\":{\"id\":")
    buffer.appendJSON(string: provider.information.pluginID)
    buffer.append(",\"version\":")
    buffer.appendJSON(string: provider.information.pluginVersion)
    buffer.append("},\"generation\":")
    buffer.appendDecimal(row.generation)
  }

  private func writeFigures(of row: ProviderBoard.Row, to buffer: inout ByteBuffer) {
    guard let number = row.number, figures.indices.contains(number) else {
      return buffer.append(",\"breaker\":\"closed\",\"retry_seconds\":null,\"limit\":0,\"configured_limit\":0")
    }
    let figures = figures[number]
    buffer.append(",\"breaker\":\"")
    buffer.append(figures.breaker.name)
    buffer.append("\",\"retry_seconds\":")
    if case .open(let until) = figures.breaker {
      buffer.appendDecimal((until.nanoseconds(since: now) + 999_999_999) / 1_000_000_000)
    } else {
      buffer.append("null")
    }
    buffer.append(",\"limit\":")
    buffer.appendDecimal(figures.limit)
    buffer.append(",\"configured_limit\":")
    buffer.appendDecimal(figures.configuredLimit)
  }

  private static func write(_ update: RefusedUpdate, to buffer: inout ByteBuffer) {
    buffer.append("{\"path\":")
    buffer.appendJSON(string: update.path)
    buffer.append(",\"reason\":")
    buffer.appendJSON(string: update.reason)
    buffer.append(",\"remedy\":")
    buffer.appendJSON(string: update.remedy)
    buffer.append("}")
  }
}
