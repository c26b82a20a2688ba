/// How the history is, as health shows it. Thread: any; answers at once, from what it knows.
protocol StorageStatus: Sendable {
  /// `remedy` is "" when healthy.
  var state: (isHealthy: Bool, message: String, remedy: String) { get }
  /// Samples that wait to be written, and how many may; nil: nothing waits here.
  var queue: (used: Int, limit: Int)? { get }
}

extension StorageStatus {
  var queue: (used: Int, limit: Int)? { nil }
}

/// How the log is, as health shows it. Thread: any; answers at once.
protocol LogStatus: Sendable {
  /// `remedy` is "" when healthy.
  var state: (isHealthy: Bool, message: String, remedy: String) { get }
}
