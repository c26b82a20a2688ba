import Bytes
import JSON

/// A snapshot as text: Prometheus' format 0.0.4, or OpenMetrics 1.0.
///
/// Both have a line for each sample. OpenMetrics names a counter without `_total`, says units, writes whole bounds as
/// `1.0`, and ends with `# EOF`.
struct MetricText: ~Copyable {
  enum Format: Equatable {
    case plain, openMetrics

    var contentType: String {
      switch self {
      case .plain: "text/plain; version=0.0.4; charset=utf-8"
      case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
      }
    }
  }

  private let format: Format
  private var buffer: ByteBuffer
  /// The labels of the series at hand as text, without braces.
  private var labels = ByteBuffer()
  /// What all bucket lines of the series at hand begin with, up to the bound.
  private var bucketHead = ByteBuffer()
  /// The bounds of the histogram at hand, and each as text: most lines of a scrape are buckets.
  private var bounds: [Double] = []
  private var boundTexts: [[UInt8]] = []

  /// Writes all of `snapshot` behind what `buffer` holds.
  static func append(_ snapshot: MetricSnapshot, _ format: Format, to buffer: inout ByteBuffer) {
    var text = MetricText(format: format, buffer: ByteBuffer())
    swap(&text.buffer, &buffer)
    for family in snapshot.families where !family.series.isEmpty { text.write(family) }
    if format == .openMetrics { text.buffer.append("# EOF\n") }
    swap(&text.buffer, &buffer)
  }

  private mutating func write(_ family: MetricSnapshot.Family) {
    writeHead(family)
    for series in family.series {
      labels.removeAll()
      for label in series.labels { writeLabel(label.name, label.value) }
      switch series.value {
      case .number(let number):
        begin(family.name, "")
        buffer.append("}")
        end(number)
      case .distribution(let seen): write(seen, of: family.name)
      }
    }
  }

  private mutating func writeHead(_ family: MetricSnapshot.Family) {
    var name = family.name
    if format == .openMetrics, family.kind == .counter, name.hasSuffix("_total") { name.removeLast(6) }
    buffer.append("# HELP ")
    buffer.append(name)
    buffer.append(" ")
    writeEscaped(family.help, quotes: format == .openMetrics)
    buffer.append("\n# TYPE ")
    buffer.append(name)
    buffer.append(" ")
    buffer.append(family.kind.rawValue)
    buffer.append("\n")
    guard format == .openMetrics else { return }
    for unit in ["seconds", "bytes"] where name.hasSuffix("_" + unit) {
      buffer.append("# UNIT ")
      buffer.append(name)
      buffer.append(" ")
      buffer.append(unit)
      buffer.append("\n")
    }
  }

  private mutating func write(_ seen: MetricSnapshot.Distribution, of name: String) {
    if seen.bounds != bounds { take(bounds: seen.bounds) }
    bucketHead.removeAll()
    bucketHead.append(name)
    bucketHead.append("_bucket{")
    bucketHead.append(labels.readable)
    bucketHead.append(labels.isEmpty ? "le=\"" : ",le=\"")
    for index in seen.counts.indices { writeBucket(boundTexts[index], seen.counts[index]) }
    writeBucket(Array("+Inf".utf8), seen.count)
    begin(name, "_sum")
    buffer.append("}")
    end(seen.sum)
    begin(name, "_count")
    buffer.append("}")
    end(Double(seen.count))
  }

  private mutating func take(bounds: [Double]) {
    self.bounds = bounds
    boundTexts = bounds.map { bound in
      var text = ByteBuffer()
      Self.append(bound, to: &text)
      if format == .openMetrics, bound == bound.rounded() { text.append(".0") }
      return text.copy()
    }
  }

  // MARK: - Lines

  private mutating func begin(_ name: String, _ suffix: StaticString) {
    buffer.append(name)
    buffer.append(suffix)
    buffer.append("{")
    buffer.append(labels.readable)
  }

  private mutating func writeBucket(_ bound: [UInt8], _ count: UInt64) {
    buffer.append(bucketHead.readable)
    buffer.append(bound)
    buffer.append("\"} ")
    buffer.appendDecimal(count)
    buffer.append("\n")
  }

  private mutating func end(_ number: Double) {
    buffer.append(" ")
    Self.append(number, to: &buffer)
    buffer.append("\n")
  }

  private static func append(_ number: Double, to buffer: inout ByteBuffer) {
    if let whole = Int64(exactly: number), whole.magnitude < 1 << 53 { return buffer.appendDecimal(whole) }
    buffer.append(number.isNaN ? "NaN" : number == .infinity ? "+Inf" : number == -.infinity ? "-Inf" : "\(number)")
  }

  private mutating func writeLabel(_ name: String, _ value: String) {
    if !labels.isEmpty { labels.append(",") }
    labels.append(name)
    labels.append("=\"")
    Self.append(value, quotes: true, to: &labels)
    labels.append("\"")
  }

  private mutating func writeEscaped(_ text: String, quotes: Bool) { Self.append(text, quotes: quotes, to: &buffer) }

  /// A backslash, a line's end and, inside quotes, a quote are escaped.
  private static func append(_ text: String, quotes: Bool, to buffer: inout ByteBuffer) {
    for byte in text.utf8 {
      switch byte {
      case 0x5C: buffer.append("\\\\")
      case 0x0A: buffer.append("\\n")
      case 0x22 where quotes: buffer.append("\\\"")
      default: buffer.append(byte)
      }
    }
  }
}
