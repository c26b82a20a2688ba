import Decisions
import JSON

extension HostLoop {
  /// The call that `name` names: its key in the feed, or its client's id; of several with that id the newest here. nil:
  /// none that runs or is still known.
  func timeline(named name: String) -> CallTimeline? {
    let isKey = { (summary: CallSummary) in summary.ticket.key == name }
    if let call = calls.first(where: { $0.ticket.key == name }) { return call.timeline }
    if let timeline = records.timeline(where: isKey) { return timeline }
    let quoted = Array(JSONValue.string(name).text.utf8)
    let isNamed = { (id: [UInt8]) in id == quoted || (id.contains(0x5C) && RequestID.content(of: id) == name) }
    let live = calls.filter { isNamed($0.plan.requestID) }.max { $0.ticket.call < $1.ticket.call }
    return live?.timeline ?? records.timeline { isNamed($0.id) }
  }
}
