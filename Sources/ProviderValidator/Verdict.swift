/// What a check found.
package enum Status: String, Sendable, CaseIterable {
  case pass
  /// Nothing is broken; something is slow, large or unusual.
  case warn
  case fail
  /// The child ended by a signal, or without an answer.
  case crash
  /// The child had to be killed.
  case timeout
  /// A stage that the check needs was not reached, or this machine cannot do what it takes.
  case skip

  /// Whether the plugin must be changed.
  package var isBad: Bool {
    switch self {
    case .pass, .warn, .skip: false
    case .fail, .crash, .timeout: true
    }
  }
}

/// The answer of a check's code, in the child.
package struct Verdict: Sendable, Equatable {
  package var status: Status
  package var expected: String
  package var found: String
  /// The rule that was broken, when it is not the check's own.
  package var rule: String?

  /// - Parameter note: a figure worth showing: "3.2 ms".
  package static func pass(_ note: String = "") -> Verdict { Verdict(status: .pass, expected: "", found: note) }

  package static func warn(expected: String, found: String) -> Verdict {
    Verdict(status: .warn, expected: expected, found: found)
  }

  package static func fail(expected: String, found: String, rule: String? = nil) -> Verdict {
    Verdict(status: .fail, expected: expected, found: found, rule: rule)
  }

  package static func skip(_ reason: String) -> Verdict { Verdict(status: .skip, expected: "", found: reason) }
}

/// Ends a check from inside what it called.
package struct CheckStop: Error {
  package var verdict: Verdict
  package init(_ verdict: Verdict) { self.verdict = verdict }
}
