/// One run of the validator: of which file, with which checks, and how.
package struct ValidationRun: Sendable {
  /// What a check's process may take.
  package static let defaultLimitSeconds = 45.0
  package static let limitSeconds = 0.05...3600.0
  package static let jobsLimit = 64

  /// The path of the program that runs a check when it is asked to (`CheckChild`).
  package var program: String
  package var file: String
  package var selection = CheckSelection()
  package var seed: UInt64 = 1
  /// Settings for `create`, a JSON object; empty: what the plugin's schema suggests.
  package var settings = ""
  /// A recorded chat for a plugin that does not speak the OpenAI format; empty: none.
  package var recording = ""
  /// Other plugins to load beside this one.
  package var companions: [String] = []
  /// Checks at once.
  package var jobs = 1
  package var limitNanoseconds = UInt64(defaultLimitSeconds * 1e9)
  /// The private copy that is mapped; the runner makes it.
  var copy = ""

  package init(program: String, file: String) {
    self.program = program
    self.file = file
  }

  /// The command line of the process that runs `check`.
  func childArguments(_ check: Check) -> [String] {
    [program, "plugin", CheckChild.command, check.id, file, copy, String(seed), settings, recording] + companions
  }
}

/// What a run found.
package struct ValidationResult: Sendable {
  package var file: String
  package var sha256: String
  package var seed: UInt64
  package var seconds: Double
  /// In the catalogue's order.
  package var findings: [Finding]

  package init(file: String, sha256: String, seed: UInt64, seconds: Double, findings: [Finding]) {
    self.file = file
    self.sha256 = sha256
    self.seed = seed
    self.seconds = seconds
    self.findings = findings
  }

  package func count(_ status: Status) -> Int { findings.count { $0.status == status } }

  /// Whether the plugin must be changed.
  package var isBad: Bool { findings.contains { $0.status.isBad } }
}
