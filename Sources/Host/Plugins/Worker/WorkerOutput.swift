import Decisions
internal import JSON

/// Brings what a worker prints and logs into the host's log, with what it belongs to; nothing of it is believed.
///
/// Thread: the supervisor's loop.
final class WorkerOutput {
  /// Lines of standard output and error that are shown in a second; the rest is counted.
  private static let linesPerSecond = 10
  private static let printedBytesLimit = 512
  private static let fieldsLimit = 48

  private let log: Log
  private let pluginID: String
  private let provider: String
  private var second: UInt64 = 0
  private var shown = 0
  private var dropped = 0

  init(log: Log, pluginID: String, provider: String) {
    self.log = log
    self.pluginID = pluginID
    self.provider = provider
  }

  /// A line on standard output or error (PRV-R012).
  func printed(_ line: String) {
    let now = Instant.now().nanoseconds / 1_000_000_000
    if now != second { (second, shown) = (now, 0) }
    guard shown < Self.linesPerSecond else {
      dropped += 1
      return
    }
    shown += 1
    var fields: [LogField] = [
      ("plugin", pluginID), ("provider", provider), ("rule", "PRV-R012"),
      ("text", String(decoding: line.utf8.prefix(Self.printedBytesLimit), as: UTF8.self)),
    ]
    if dropped > 0 { fields.append(("dropped_lines", "\(dropped)")) }
    dropped = 0
    log.write(.warning, "plugin wrote to its standard stream", fields)
  }

  /// A line of the worker's own log, which is one JSON object.
  func logged(_ line: String) {
    guard let members = (try? JSONValue(parsing: line))?.members, let message = text("message", members) else {
      return printed(line)
    }
    let level = LogLevel.allCases.first { $0.name == text("level", members) } ?? .info
    var fields: [LogField] = []
    for member in members.prefix(Self.fieldsLimit) where !["time", "level", "message"].contains(member.key) {
      guard Self.isName(member.key), let value = member.value.string else { continue }
      // Who it was is not the worker's to say.
      if member.key == "plugin" || member.key == "provider" { continue }
      fields.append((member.key, value))
    }
    log.write(
      level, message, kind: "lines of the plugin of \(provider)",
      [("plugin", pluginID), ("provider", provider)] + fields)
  }

  private func text(_ key: String, _ members: [JSONValue.Member]) -> String? {
    members.first { $0.key == key }?.value.string
  }

  private static func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
  }
}
