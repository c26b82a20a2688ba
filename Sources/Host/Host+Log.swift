// What an operator does to the log of a running host. Thread: control.
extension Host {
  /// Its file was moved away, or its disk is back.
  func reopenLog() -> ReloadReport {
    switch log.reopen() {
    case .success(let line): ReloadReport(isApplied: true, lines: [line])
    case .failure(let fault): ReloadReport(isApplied: false, lines: ["\(fault); the old file stays"])
    }
  }

  /// Until the next reload or start, which take the configured one.
  func setLogLevel(_ level: LogLevel) -> ReloadReport {
    let previous = log.level
    log.setLevel(level)
    // A level that hides it says so nevertheless.
    log.write(
      max(level, .info), "The log level was changed", [("from", previous.name), ("to", level.name)])
    return ReloadReport(isApplied: true, lines: ["log level: \(previous.name) → \(level.name), until the next reload"])
  }
}
