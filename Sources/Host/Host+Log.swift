// What an operator does to the log of a running host. Thread: control.
extension Host {
  /// Its file was moved away, or its disk is back.
  func reopenLog() -> ReloadReport {
    switch log.reopen() {
    case .success(let line): ReloadReport(isApplied: true, lines: [line])
    case .failure(let fault): ReloadReport(isApplied: false, lines: ["\(fault); the old file stays"])
    }
  }

  /// In the host and in the workers.
  func adopt(_ level: LogLevel, _ registry: ProviderRegistry?) {
    log.setLevel(level)
    for entry in registry?.entries ?? [] { entry.provider.adopt(level) }
  }

  /// Until the next reload or start, which take the configured one.
  func setLogLevel(_ level: LogLevel, _ providers: ProviderBringUp) -> ReloadReport {
    let previous = log.level
    adopt(level, providers.registry)
    // A level that hides it says so nevertheless.
    log.write(
      max(level, .info), "The log level was changed", [("from", previous.name), ("to", level.name)])
    return ReloadReport(isApplied: true, lines: ["log level: \(previous.name) → \(level.name), until the next reload"])
  }
}
