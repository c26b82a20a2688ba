import CProviderABI
import Testing

@testable import ProviderContract

@Suite struct EventOrderTests {
  private func fault(_ events: [(UInt32, UInt32)]) -> String? {
    var order = EventOrder()
    for (kind, index) in events {
      if let fault = order.take(kind: kind, index: index) { return fault.found }
    }
    return nil
  }

  @Test func `an answer with reasoning, text, tools and usage is in order`() {
    #expect(
      fault([
        (PRV_EVENT_REASONING, 0), (PRV_EVENT_TEXT, 0), (PRV_EVENT_TOOL_CALL, 0), (PRV_EVENT_TOOL_ARGUMENTS, 0),
        (PRV_EVENT_TOOL_CALL, 1), (PRV_EVENT_TOOL_ARGUMENTS, 0), (PRV_EVENT_TOOL_ARGUMENTS, 1), (PRV_EVENT_USAGE, 0),
        (PRV_EVENT_FINISH, 0), (PRV_EVENT_USAGE, 0),
      ]) == nil)
  }

  @Test func `what comes before its beginning, out of turn or after the end is told`() {
    #expect(fault([(PRV_EVENT_TOOL_ARGUMENTS, 0)]) == "those of tool call 0")
    #expect(fault([(PRV_EVENT_TOOL_CALL, 1)]) == "tool call 1")
    #expect(fault([(PRV_EVENT_TOOL_CALL, 0), (PRV_EVENT_TOOL_CALL, 0)]) == "tool call 0")
    #expect(fault([(PRV_EVENT_TOOL_CALL, 0), (PRV_EVENT_TOOL_ARGUMENTS, 1)]) == "those of tool call 1")
    #expect(fault([(PRV_EVENT_FINISH, 0), (PRV_EVENT_TEXT, 0)]) == "an event of kind 1")
    #expect(fault([(PRV_EVENT_FINISH, 0), (PRV_EVENT_FINISH, 0)]) == "a second one")
  }
}
