/// A setting of a run is out of its bounds, or not what it should be.
package struct LoadSettingError: Error, Equatable, CustomStringConvertible {
  package var description: String
}

/// What a run is to do and how it is judged.
package struct LoadSettings: Equatable, Sendable {
  package enum Tool: String, Sendable {
    /// As many calls as the connections can carry, for a minute.
    case stress
    /// A calm pace, for a day.
    case soak
  }

  /// Options with a value, as the command line names them.
  package static let optionNames: Set<String> = [
    "--model", "--duration", "--concurrent", "--per-second", "--expect", "--success", "--errors", "--p95", "--p99",
    "--memory", "--memory-span", "--settle", "--patience",
  ]

  package var tool: Tool
  /// nil: the host's default model.
  package var model: String?
  /// Seconds during which calls begin.
  package var durationSeconds: Double
  /// Connections with at most one call each.
  package var connections: Int
  /// Calls a second over all connections; nil: as fast as connections come free.
  package var perSecond: Double?
  package var expectation = ExpectedContent.auto
  package var criteria = Criteria()
  /// Seconds that the host has, after the connections have closed, to be as it was before.
  package var settleSeconds = 5.0
  /// Seconds without the end of a call after which it is an error and its connection is replaced.
  package var patienceSeconds = 60.0

  package init(_ tool: Tool) {
    self.tool = tool
    durationSeconds = tool == .soak ? 86_400 : 60
    connections = tool == .soak ? 2 : 10
    perSecond = tool == .soak ? 1 : nil
  }

  /// Takes what `option` answers for the names of `optionNames`.
  package init(_ tool: Tool, option: (String) -> String?) throws(LoadSettingError) {
    self.init(tool)
    model = option("--model")
    if let text = option("--duration") { durationSeconds = try Self.duration(text) }
    if let text = option("--concurrent") {
      connections = Int(try Self.number("--concurrent", text, in: 1...10_000, isWhole: true))
    }
    if let text = option("--expect") {
      guard let known = ExpectedContent(rawValue: text) else {
        throw LoadSettingError(description: "--expect is auto, prompt or any, not '\(text)'")
      }
      expectation = known
    }
    if let text = option("--per-second") { perSecond = try Self.number("--per-second", text, in: 0.001...100_000) }
    for (name, path, bounds) in Self.numbers {
      if let text = option(name) { self[keyPath: path] = try Self.number(name, text, in: bounds) }
    }
  }

  private static var numbers: [(String, WritableKeyPath<LoadSettings, Double>, ClosedRange<Double>)] {
    [
      ("--success", \.criteria.successPercent, 0...100), ("--errors", \.criteria.errorPercent, 0...100),
      ("--p95", \.criteria.p95Seconds, 0.000_001...3600), ("--p99", \.criteria.p99Seconds, 0.000_001...3600),
      ("--memory", \.criteria.memoryPercent, 0...1000), ("--memory-span", \.criteria.memorySeconds, 1...86_400),
      ("--settle", \.settleSeconds, 0...600), ("--patience", \.patienceSeconds, 0.1...3600),
    ]
  }

  /// Seconds between two looks at the host: 120 in a run, but not more than 20 a second nor fewer than 6 a minute.
  package var sampleSeconds: Double { min(max(durationSeconds / 120, 0.05), 10) }

  // MARK: - Reading

  /// Seconds of `90s`, `10m`, `24h`, `7d` or a number of seconds; 1 s to 30 days.
  package static func duration(_ text: String) throws(LoadSettingError) -> Double {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    let unit = text.last.flatMap { units[$0] }
    let seconds = plainNumber(unit == nil ? text[...] : text.dropLast()).map { $0 * (unit ?? 1) }
    guard let seconds, (1...2_592_000).contains(seconds) else {
      throw LoadSettingError(description: "--duration is 1s to 30d, such as 90s, 10m or 24h, not '\(text)'")
    }
    return seconds
  }

  private static func number(_ name: String, _ text: String, in bounds: ClosedRange<Double>, isWhole: Bool = false)
    throws(LoadSettingError) -> Double
  {
    guard let value = plainNumber(text[...]), bounds.contains(value), !isWhole || value == value.rounded() else {
      let kind = isWhole ? "a whole number" : "a number"
      throw LoadSettingError(
        description: "\(name) is \(kind) from \(short(bounds.lowerBound)) to \(short(bounds.upperBound)), not '\(text)'"
      )
    }
    return value
  }

  /// Digits with at most one point: neither `nan` nor `0x1p3`.
  private static func plainNumber(_ text: Substring) -> Double? {
    text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E } ? Double(text) : nil
  }

  private static func short(_ value: Double) -> String {
    if value == value.rounded() { return value.text(decimals: 0) }
    var digits = value.text(decimals: 6)
    while digits.hasSuffix("0") { digits.removeLast() }
    return digits
  }
}
