/// Which check runs next. Decides only: it starts nothing and reads no clock.
///
/// | state of a check | event | then |
/// |---|---|---|
/// | waiting | all its gates passed, and a place is free (`next`) | running |
/// | waiting | one of its gates did not pass | found: skip, with that gate as the reason |
/// | running | its finding (`record`) | found |
package struct CheckSchedule {
  private var waiting: [Check]
  private var running: Set<String> = []
  private var passed: Set<String> = []
  private var gatesNeeded: Set<String>
  /// Gates that nobody asked for: their findings are told only when they are bad.
  private let silent: Set<String>

  /// - Parameter catalogue: all checks, in the order in which they are to begin.
  package init(_ catalogue: [Check], _ selection: CheckSelection) {
    let wanted = catalogue.filter { selection.takes($0) }
    gatesNeeded = Set(wanted.flatMap { $0.needs.gates })
    silent = gatesNeeded.subtracting(wanted.map(\.id))
    waiting = catalogue.filter { [silent] check in selection.takes(check) || silent.contains(check.id) }
  }

  package var isDone: Bool { waiting.isEmpty && running.isEmpty }

  /// A check that may begin now: gates first, since others wait for them.
  package mutating func next() -> Check? {
    let mayBegin = { [passed, gatesNeeded] (check: Check) in
      check.needs.gates.allSatisfy { passed.contains($0) || !gatesNeeded.contains($0) || $0 == check.id }
    }
    let gate = waiting.firstIndex { gatesNeeded.contains($0.id) && mayBegin($0) }
    guard let index = gate ?? waiting.firstIndex(where: mayBegin) else { return nil }
    running.insert(waiting[index].id)
    return waiting.remove(at: index)
  }

  /// Takes what a running check found; answers with what is to be told: the finding, and the checks it ends.
  package mutating func record(_ finding: Finding) -> [Finding] {
    precondition(running.remove(finding.check) != nil, "unexpected finding of \(finding.check), which is not running")
    guard gatesNeeded.contains(finding.check) else { return [finding] }
    if finding.status == .pass || finding.status == .warn {
      passed.insert(finding.check)
      return silent.contains(finding.check) ? [] : [finding]
    }
    let ended = waiting.filter { $0.needs.gates.contains(finding.check) }
    waiting.removeAll { $0.needs.gates.contains(finding.check) }
    let skipped = ended.filter { !silent.contains($0.id) }.map { check in
      Finding(check, .skip("needs \(finding.check), which \(Self.word(finding.status))"))
    }
    return [finding] + skipped
  }

  private static func word(_ status: Status) -> String {
    switch status {
    case .pass, .warn: "passed"
    case .fail: "failed"
    case .crash: "crashed"
    case .timeout: "did not end"
    case .skip: "was skipped"
    }
  }
}
