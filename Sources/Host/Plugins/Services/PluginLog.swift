internal import CProviderABI
internal import ProviderContract

extension LogLevel {
  /// The host's level for a PRV_LOG_* of a plugin; what lies between counts as the lower one.
  init(provider level: Int32) {
    switch level {
    case ..<PRV_LOG_INFO: self = .debug
    case ..<PRV_LOG_WARNING: self = .info
    case ..<PRV_LOG_ERROR: self = .warning
    default: self = .error
    }
  }
}

extension InProcessProvider {
  /// Fields of one line that a plugin may write.
  private static let logFieldsLimit: UInt64 = 32

  /// prv_log_v1.write: the plugin's line, with what it belongs to.
  func writeLog(
    _ call: prv_call, _ level: Int32, _ message: prv_str, _ fields: UnsafePointer<prv_field>?, _ count: UInt64
  ) {
    let level = LogLevel(provider: level)
    guard log.isEnabled(level) else { return }
    var line: [LogField] = [("plugin", plugin.description.id), ("provider", information.id)]
    if let slot = slot(of: call), slot.current.holds(call) {
      line.append(("request_id", slot.requestID))
      if let trace = slot.traceID { line.append(("trace_id", trace)) }
    }
    if let fields {
      for index in 0..<Int(min(count, Self.logFieldsLimit)) {
        line.append((fieldName(fields[index].name), fields[index].value.excerpt))
      }
    }
    // Its words are its own: all of its lines share one allowance.
    log.write(level, message.excerpt, kind: "lines of the plugin of \(information.id)", line)
  }

  /// A name that cannot be taken for the host's own or break the line.
  private func fieldName(_ name: prv_str) -> String {
    let text = name.excerpt.utf8.prefix(64)
    let plain = text.allSatisfy { byte in
      (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
    }
    guard plain, !text.isEmpty else { return "field" }
    let word = String(decoding: text, as: UTF8.self)
    return ["plugin", "provider", "request_id", "trace_id"].contains(word) ? "plugin_" + word : word
  }
}
