import Glibc
import Synchronization

/// How much a line matters; a line below the logger's level is not built.
package enum LogLevel: Int, Comparable, Sendable, CaseIterable {
  case debug = 10
  case info = 20
  case warning = 30
  case error = 40

  package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
  package var name: String { "\(self)" }
}

/// One fact of a line: `("provider", "kimi")`. Names end in their unit (`_seconds`, `_bytes`).
package typealias LogField = (name: String, value: String)

/// Writes lines of constant text and named fields to a descriptor; one `write` a line, so lines never mix.
///
/// Thread: any. What stands in `secrets` never reaches the descriptor.
package final class Log: Sendable {
  /// How a line is laid out.
  package enum Format: String, Sendable { case text, json }

  private struct State {
    var level: LogLevel
    var secrets: [String]
  }

  private let descriptor: Int32
  private let format: Format
  private let state: Mutex<State>
  private let threshold: Atomic<Int>

  package init(descriptor: Int32 = 2, level: LogLevel = .info, format: Format = .text) {
    self.descriptor = descriptor
    self.format = format
    state = Mutex(State(level: level, secrets: []))
    threshold = Atomic(level.rawValue)
  }

  /// Whether a line of `level` would be written.
  package func isEnabled(_ level: LogLevel) -> Bool { level.rawValue >= threshold.load(ordering: .relaxed) }

  package func setLevel(_ level: LogLevel) {
    threshold.store(level.rawValue, ordering: .relaxed)
  }

  /// From now on `secret` is written as `[redacted]` wherever it would appear. Secrets under 8 characters are refused
  /// by the configuration, so that ordinary words stay readable.
  package func redact(_ secret: String) {
    guard secret.utf8.count >= 8 else { return }
    // What others wrote as JSON comes with its escapes.
    let escaped = String(Self.quoted(secret).dropFirst().dropLast())
    state.withLock {
      for form in [secret, escaped] where !$0.secrets.contains(form) { $0.secrets.append(form) }
    }
  }

  /// `text` without the secrets that stand in it.
  package func redacted(_ text: String) -> String {
    state.withLock { $0.secrets }.reduce(text) { $0.replacingAll(of: $1, with: "[redacted]") }
  }

  package func debug(_ message: String, _ fields: LogField...) { write(.debug, message, fields) }
  package func info(_ message: String, _ fields: LogField...) { write(.info, message, fields) }
  package func warning(_ message: String, _ fields: LogField...) { write(.warning, message, fields) }
  package func error(_ message: String, _ fields: LogField...) { write(.error, message, fields) }

  package func write(_ level: LogLevel, _ message: String, _ fields: [LogField]) {
    guard isEnabled(level) else { return }
    // Before the line is laid out: its escapes would hide a secret that has quotes in it.
    var line = render(level, redacted(message), fields.map { (name: $0.name, value: redacted($0.value)) })
    if line.utf8.count > 8192 { line = String(decoding: line.utf8.prefix(8189), as: UTF8.self) + "..." }
    line += "\n"
    line.withUTF8 { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = Glibc.write(descriptor, rest.baseAddress(in: bytes), rest.count)
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { return }
        rest = rest.dropFirst(written)
      }
    }
  }

  private func render(_ level: LogLevel, _ message: String, _ fields: [LogField]) -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var parts = tm()
    gmtime_r(&time.tv_sec, &parts)
    func padded(_ value: Int, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    let stamp =
      "\(parts.tm_year + 1900)-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))T"
      + "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))."
      + "\(padded(time.tv_nsec / 1_000_000, 3))Z"
    switch format {
    case .text:
      let facts = fields.map { " \($0.name)=\(Self.quotedIfNeeded($0.value))" }.joined()
      return "\(stamp) \(level.name) \(message)\(facts)"
    case .json:
      let facts = fields.map { ",\"\($0.name)\":\(Self.quoted($0.value))" }.joined()
      return "{\"time\":\"\(stamp)\",\"level\":\"\(level.name)\",\"message\":\(Self.quoted(message))\(facts)}"
    }
  }

  private static func quotedIfNeeded(_ text: String) -> String {
    let plain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x7F }
    return plain ? text : quoted(text)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case let control where control.value < 0x20 || control.value == 0x7F:
        let digits = String(control.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension String {
  /// Every occurrence of `needle` replaced; bytes are compared, so canonical equivalence plays no part.
  fileprivate func replacingAll(of needle: String, with replacement: String) -> String {
    let haystack = Array(utf8)
    let pattern = Array(needle.utf8)
    guard !pattern.isEmpty, haystack.count >= pattern.count else { return self }
    var result: [UInt8] = []
    var index = 0
    var found = false
    while index < haystack.count {
      if index + pattern.count <= haystack.count, haystack[index] == pattern[0],
        haystack[index..<index + pattern.count].elementsEqual(pattern)
      {
        result.append(contentsOf: replacement.utf8)
        index += pattern.count
        found = true
      } else {
        result.append(haystack[index])
        index += 1
      }
    }
    return found ? String(decoding: result, as: UTF8.self) : self
  }
}

extension Slice where Base == UnsafeBufferPointer<UInt8> {
  fileprivate func baseAddress(in base: UnsafeBufferPointer<UInt8>) -> UnsafePointer<UInt8> {
    base.baseAddress! + startIndex
  }
}
