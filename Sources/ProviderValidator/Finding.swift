/// What one check found about one plugin, with all that helps to understand it.
package struct Finding: Sendable, Equatable {
  package var check: String
  package var category: Check.Category
  package var rule: String
  package var status: Status
  package var expected: String
  package var found: String
  /// The last calls across the boundary, the newest last: `create("kimi") = 0`. One without a result had not returned.
  package var calls: [String] = []
  /// What the child wrote to its standard output and error, bounded.
  package var output = ""
  package var seconds = 0.0

  package init(_ check: Check, _ verdict: Verdict) {
    self.check = check.id
    category = check.category
    rule = verdict.rule ?? check.rule
    status = verdict.status
    expected = verdict.expected
    found = verdict.found
  }

  /// The call that was made last; nil when none was.
  package var lastCall: String? { calls.last }
}
