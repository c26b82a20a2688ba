// What the log says of a call: each line has the same names, so that one search finds all of them.
extension Call {
  /// `request_id` first; the trace if it is in one.
  var names: [LogField] {
    let id = String(decoding: plan.requestID.dropFirst().dropLast(), as: UTF8.self)
    var names: [LogField] = [("request_id", id), ("session", "\(plan.session)")]
    if let trace = plan.trace { names += [("trace_id", trace.traceID), ("span_id", trace.spanID)] }
    return names
  }

  func logBegin() {
    guard log.isEnabled(.debug) else { return }
    log.write(
      .debug, "Call begins", names + [("provider", model.providerID), ("model", model.id), ("name", plan.name)])
  }

  /// What a provider did not answer. What was refused to a client, it has been told; it could ask for that as often as
  /// it likes.
  func logFailure(_ ending: CallEnding) {
    guard attempts > 0, ending.outcome != .cancelled, let error = ending.error else { return }
    log.write(
      .info, "Call failed",
      names + [
        ("provider", model.providerID), ("model", model.id), ("outcome", ending.outcome.rawValue),
        ("code", error.code.rawValue), ("attempts", "\(attempts)"), ("reason", CallError.shortened(error.message)),
      ])
  }
}
