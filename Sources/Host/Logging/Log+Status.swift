internal import Glibc

extension Log: LogStatus {
  /// Not healthy while lines are lost; the next one that is written makes it so again.
  var state: (isHealthy: Bool, message: String, remedy: String) {
    let place = path ?? "standard error"
    let code = lastFault
    guard code != 0 else { return (true, "the log is written to \(place)", "") }
    return (
      false,
      "\(lostLines) lines of the log were lost, the last as \(place) takes none: \(String(cString: strerror(code)))",
      path == nil
        ? "see who reads the host's standard error" : "free space on the disk of \(place), or run patchbay reopen-log"
    )
  }
}
