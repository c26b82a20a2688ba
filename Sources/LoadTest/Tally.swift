/// How the calls of a run ended. Bounded: codes beyond `codesLimit` share one entry.
package struct Tally: Sendable {
  package static let codesLimit = 32
  package static let restCode = "other_codes"

  package struct ErrorCount: Equatable, Sendable {
    package var count: Int
    /// What the first one said.
    package var firstMessage: String
  }

  package private(set) var successes = 0
  package private(set) var wrongContents = 0
  package private(set) var errors = 0
  package private(set) var errorCodes: [String: ErrorCount] = [:]
  /// What was wrong with the first wrong content.
  package private(set) var firstWrongContent: String?

  package init() {}

  /// Every call that ended, one way or the other.
  package var calls: Int { successes + wrongContents + errors }

  package mutating func add(_ end: CallEnd) {
    switch end {
    case .success: successes += 1
    case .wrongContent(let found):
      wrongContents += 1
      firstWrongContent = firstWrongContent ?? found
    case .error(let code, let message, _):
      errors += 1
      let isKnown = errorCodes[code] != nil || errorCodes.count < Self.codesLimit
      errorCodes[isKnown ? code : Self.restCode, default: ErrorCount(count: 0, firstMessage: message)].count += 1
    }
  }

  /// nil: no call ended.
  package var successPercent: Double? { percent(successes) }
  /// nil: no call ended.
  package var errorPercent: Double? { percent(errors) }

  private func percent(_ part: Int) -> Double? { calls == 0 ? nil : Double(part) * 100 / Double(calls) }
}
