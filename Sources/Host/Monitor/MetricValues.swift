import Bytes

/// Every figure of the host by a key, as the event `metrics` tells it: `name{label="value"}`, labels in the order of
/// their declaration.
///
/// A histogram has `name_count`, `name_sum` and, once something was observed, three quantiles.
struct MetricValues {
  /// One series with its keys, which are made once and kept from snapshot to snapshot.
  private struct Row {
    var labels: [MetricSnapshot.Label]
    var keys: [String]
    var values: [Double]
  }

  private static let quantiles: [(name: String, of: Double)] = [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99)]

  private var families: [String: [Row]] = [:]
  private var order: [String] = []

  init() {}

  /// - Parameter before: whose keys are used again.
  init(_ snapshot: MetricSnapshot, after before: MetricValues) {
    for family in snapshot.families {
      let known = before.families[family.name] ?? []
      let rows = family.series.enumerated().map { index, series -> Row in
        let values = Self.values(series.value)
        if known.indices.contains(index), known[index].labels == series.labels, known[index].keys.count == values.count
        {
          return Row(labels: series.labels, keys: known[index].keys, values: values)
        }
        return Row(
          labels: series.labels, keys: Self.keys(family.name, series.labels, series.value, values.count), values: values
        )
      }
      if families[family.name] == nil { order.append(family.name) }
      families[family.name, default: []] += rows
    }
  }

  /// The JSON of all values, or of those that are others than in `before`.
  func write(at milliseconds: Int64, after before: MetricValues?, to buffer: inout ByteBuffer) {
    buffer.append("{\"at\":")
    buffer.appendDecimal(milliseconds)
    buffer.append(before == nil ? ",\"full\":true,\"values\":{" as StaticString : ",\"full\":false,\"values\":{")
    var isFirst = true
    for name in order {
      let known = before?.families[name] ?? []
      for (index, row) in (families[name] ?? []).enumerated() {
        let old = known.indices.contains(index) && known[index].keys == row.keys ? known[index].values : nil
        for place in row.values.indices where old?[place] != row.values[place] {
          buffer.append(isFirst ? "" as StaticString : ",")
          isFirst = false
          buffer.appendJSON(string: row.keys[place])
          buffer.append(":")
          buffer.appendJSON(double: row.values[place])
        }
      }
    }
    buffer.append("},\"removed\":[")
    for (index, key) in removed(since: before).enumerated() {
      if index > 0 { buffer.append(",") }
      buffer.appendJSON(string: key)
    }
    buffer.append("]}")
  }

  /// Most often the same series stand at the same places: only where they do not is a set made.
  private func removed(since before: MetricValues?) -> [String] {
    guard let before else { return [] }
    return before.order.flatMap { name -> [String] in
      let (old, new) = (before.families[name] ?? [], families[name] ?? [])
      if old.count <= new.count, zip(old, new).allSatisfy({ $0.keys == $1.keys }) { return [] }
      let kept = Set(new.flatMap(\.keys))
      return old.flatMap(\.keys).filter { !kept.contains($0) }
    }
  }

  // MARK: - One series

  private static func values(_ value: MetricSnapshot.Value) -> [Double] {
    switch value {
    case .number(let number): return [number]
    case .distribution(let distribution):
      let counted = [Double(distribution.count), distribution.sum]
      guard distribution.count > 0 else { return counted }
      return counted + quantiles.map { distribution.quantile($0.of) ?? 0 }
    }
  }

  private static func keys(
    _ name: String, _ labels: [MetricSnapshot.Label], _ value: MetricSnapshot.Value, _ count: Int
  ) -> [String] {
    guard case .distribution = value else { return [name + text(labels)] }
    let all =
      [name + "_count" + text(labels), name + "_sum" + text(labels)]
      + quantiles.map { name + text(labels + [.init(name: "quantile", value: $0.name)]) }
    return Array(all.prefix(count))
  }

  /// As the exposition format of Prometheus has them.
  private static func text(_ labels: [MetricSnapshot.Label]) -> String {
    guard !labels.isEmpty else { return "" }
    let pairs = labels.map { "\($0.name)=\"\(escaped($0.value))\"" }
    return "{" + pairs.joined(separator: ",") + "}"
  }

  private static func escaped(_ value: String) -> String {
    guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
    var text = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
