package import Decisions
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
  package static let names = allCases.map(\.name)

  /// nil: there is no such level.
  package init?(named name: some StringProtocol) {
    guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }
}

/// One fact of a line: `("provider", "kimi")`. Names end in their unit (`_seconds`, `_bytes`).
package typealias LogField = (name: String, value: String)

/// Writes lines of constant text and named fields to a descriptor; one `write` a line, so lines never mix.
///
/// Lines are bounded for each message (`LogRates`), unless the level is debug: who asks for that wants every line.
/// Thread: any. What stands in `secrets` never reaches the descriptor.
package final class Log: Sendable {
  /// How a line is laid out.
  package enum Format: String, Sendable { case text, json }

  /// errno of the last line, if it was lost; 0: it was written.
  var lastFault: Int32 { fault.load(ordering: .relaxed) }

  /// Its number never changes; what it leads to does when a file is opened anew.
  private let descriptor: Int32
  /// Of the file; nil: it is somebody else's descriptor.
  package let path: String?
  private let format: Format
  /// What is never written.
  private let secrets = Mutex<[String]>([])
  private let rates = Mutex(LogRates())
  private let threshold: Atomic<Int>
  private let lost = Atomic<UInt64>(0)
  /// errno of the last line, if it was lost; 0: it was written.
  private let fault = Atomic<Int32>(0)

  package init(descriptor: Int32 = 2, level: LogLevel = .info, format: Format = .text) {
    self.descriptor = descriptor
    path = nil
    self.format = format
    threshold = Atomic(level.rawValue)
  }

  /// A log that is appended to a file, which is made if it is absent.
  package init(file path: String, level: LogLevel = .info, format: Format = .text) throws(LogFileFault) {
    descriptor = try LogFile.open(path)
    self.path = path
    self.format = format
    threshold = Atomic(level.rawValue)
  }

  deinit {
    if path != nil { close(descriptor) }
  }

  /// Opens the file anew, which somebody may have moved away. When that fails, the old one stays, and says so.
  ///
  /// - Returns: what became of it, for whoever asked.
  package func reopen() -> Result<String, LogFileFault> {
    guard let path else {
      info("The log has no file to be opened anew", ("remedy", "set log.file and restart"))
      return .success("the log goes to standard error: there is no file to be opened anew")
    }
    do throws(LogFileFault) {
      try LogFile.reopen(path, as: descriptor)
    } catch {
      self.error(
        "The log file was not opened anew; the old one stays", ("path", path), ("reason", error.reason),
        ("remedy", error.remedy))
      return .failure(error)
    }
    info("The log file was opened anew", ("path", path))
    return .success("the log file \(path) was opened anew")
  }

  /// Lines that were left out, so that a message does not fill the log.
  package var leftOutLines: UInt64 { rates.withLock { $0.leftOutTotal } }
  /// Lines that the descriptor did not take: a full disk, a pipe that nobody reads.
  package var lostLines: UInt64 { lost.load(ordering: .relaxed) }

  /// Whether a line of `level` would be written.
  package func isEnabled(_ level: LogLevel) -> Bool { level.rawValue >= threshold.load(ordering: .relaxed) }

  package var level: LogLevel { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }

  package func setLevel(_ level: LogLevel) {
    threshold.store(level.rawValue, ordering: .relaxed)
  }

  /// From now on `secret` is written as `[redacted]` wherever it would appear. Secrets under 8 characters are refused
  /// by the configuration, so that ordinary words stay readable.
  package func redact(_ secret: String) {
    guard secret.utf8.count >= 8 else { return }
    // What others wrote as JSON comes with its escapes.
    let escaped = String(Self.quoted(secret).dropFirst().dropLast())
    secrets.withLock { secrets in
      for form in [secret, escaped] where !secrets.contains(form) { secrets.append(form) }
    }
  }

  /// `text` without the secrets that stand in it.
  package func redacted(_ text: String) -> String {
    secrets.withLock { $0 }.reduce(text) { $0.replacingAll(of: $1, with: "[redacted]") }
  }

  package func debug(_ message: String, _ fields: LogField...) { write(.debug, message, fields) }
  package func info(_ message: String, _ fields: LogField...) { write(.info, message, fields) }
  package func warning(_ message: String, _ fields: LogField...) { write(.warning, message, fields) }
  package func error(_ message: String, _ fields: LogField...) { write(.error, message, fields) }

  /// - Parameter kind: lines of one kind are bounded together; nil: those of one message.
  package func write(_ level: LogLevel, _ message: String, kind: String? = nil, _ fields: [LogField]) {
    guard isEnabled(level) else { return }
    let now = Instant.now()
    tellLeftOut(now: now)
    if isBounded(level), !rates.withLock({ $0.admit(kind ?? message, now: now) }) { return }
    put(level, message, fields)
  }

  /// Who asks for debug wants every line, those of the other levels too.
  private func isBounded(_ level: LogLevel) -> Bool { level >= .info && !isEnabled(.debug) }

  /// Says what was left out in windows that are over. Whoever writes does it too; this is for a log that has gone quiet.
  package func tellLeftOut(now: Instant) {
    let ended = rates.withLock { $0.isLookDue(now: now) ? $0.ended(now: now) : [] }
    for leftOut in ended {
      put(
        .warning, "Lines were left out",
        [
          ("of", leftOut.message), ("lines", "\(leftOut.count)"),
          ("window_seconds", "\(LogRates.windowMilliseconds / 1_000)"),
        ])
    }
  }

  private func put(_ level: LogLevel, _ message: String, _ fields: [LogField]) {
    // Before the line is laid out: its escapes would hide a secret that has quotes in it.
    var line = render(level, redacted(message), fields.map { (name: $0.name, value: redacted($0.value)) })
    if line.utf8.count > 8192 { line = String(decoding: line.utf8.prefix(8189), as: UTF8.self) + "..." }
    line += "\n"
    line.withUTF8 { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = Glibc.write(descriptor, rest.baseAddress(in: bytes), rest.count)
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else {
          fault.store(errno, ordering: .relaxed)
          lost.add(1, ordering: .relaxed)
          return
        }
        rest = rest.dropFirst(written)
      }
      fault.store(0, ordering: .relaxed)
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
