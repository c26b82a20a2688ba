internal import CProviderABI

/// The grammar of one call's events: what may follow what. A value that takes events and says what is wrong.
///
/// A tool call begins before its arguments, tool calls are numbered from 0 on, and nothing of the answer follows FINISH.
package struct EventOrder: Sendable {
  private var toolCalls: UInt32 = 0
  private var hasFinished = false

  package init() {}

  /// nil: `kind` may come now. Else what was expected, and what was found.
  package mutating func take(kind: UInt32, index: UInt32) -> (expected: String, found: String)? {
    switch kind {
    case PRV_EVENT_FINISH:
      if hasFinished { return ("one FINISH", "a second one") }
      hasFinished = true
    case PRV_EVENT_USAGE, PRV_EVENT_MODEL_USED, PRV_EVENT_ANNOTATION: break
    case _ where hasFinished: return ("nothing of the answer after FINISH", "an event of kind \(kind)")
    case PRV_EVENT_TOOL_CALL:
      if index != toolCalls { return ("tool call \(toolCalls) to begin next", "tool call \(index)") }
      toolCalls += 1
    case PRV_EVENT_TOOL_ARGUMENTS:
      if index >= toolCalls { return ("arguments of a tool call that began", "those of tool call \(index)") }
    default: break
    }
    return nil
  }
}
