internal import CProviderABI
internal import JSON
internal import ProviderContract
internal import ProviderTesting

/// Calls of the kinds MODELS and HEALTH.
enum ModelCallChecks {
  static let all = [basic, upstreamErrors, health]

  static let basic = ChatCheck.make(
    "models-basic", rule: .text, category: .models, needs: [.models, .format],
    proves: "Listing models gives objects with distinct ids, then FINISH and one done."
  ) { subject throws(CheckStop) in
    let outcome = try subject.ask(PRV_CALL_MODELS, ChatScript.models)
    let call = outcome.call
    guard call.status == PRV_OK, call.finishReason != nil else {
      return .fail(
        expected: "FINISH and done with PRV_OK", found: "done with \(call.status ?? 0), \(call.events.count) events")
    }
    var ids: Set<String> = []
    for event in call.events where event.kind == PRV_EVENT_MODEL {
      guard let id = (try? JSONValue(parsing: event.text))?["id"]?.string, !id.isEmpty else {
        return .fail(expected: "objects of prv.models/1 with an id", found: String(event.text.prefix(120)))
      }
      guard ids.insert(id).inserted else { return .fail(expected: "distinct ids", found: "\"\(id)\" twice") }
    }
    if ids.isEmpty { return .fail(expected: "a model", found: "none") }
    return .pass("\(ids.count) models")
  }

  static let upstreamErrors = ChatCheck.make(
    "models-upstream-errors", rule: .trueFinish, category: .models, needs: [.models, .upstream, .format],
    proves: "When the upstream refuses or garbles its list, the call fails with the code that says why."
  ) { subject throws(CheckStop) in
    for row in UpstreamErrorTable.models {
      let outcome = try subject.ask(PRV_CALL_MODELS, row.answer)
      if let verdict = row.verdict(on: outcome.call) { return verdict }
    }
    let late = try subject.ask(PRV_CALL_MODELS, .silent, seconds: 5)
    guard late.call.status == PRV_CANCELLED || late.call.status == PRV_E_TIMEOUT else {
      return .fail(
        expected: "PRV_CANCELLED or PRV_E_TIMEOUT from an upstream that is silent", found: "\(late.call.status ?? 0)")
    }
    return .pass("\(UpstreamErrorTable.models.count + 1) failures")
  }

  static let health = ChatCheck.make(
    "health-states", rule: .trueFinish, category: .models, needs: [.health, .format],
    proves: "A health check tells an upstream that is well, slow, down or silent apart."
  ) { subject throws(CheckStop) in
    let states: [(name: String, answer: UpstreamAnswer, isHealthy: Bool)] = [
      ("is well", ChatScript.models, true), ("is slow", ChatScript.models.slowed(nanoseconds: 900_000_000), true),
      ("answers 500", ChatScript.error(500, "down"), false),
      ("answers 401", ChatScript.error(401, "no such key", code: "invalid_api_key"), false),
      ("is silent", .silent, false),
    ]
    for state in states where subject.speaksHTTP || state.isHealthy {
      let call = try subject.ask(PRV_CALL_HEALTH, state.answer, seconds: 5).call
      let isHealthy = call.status == PRV_OK && call.finishReason != nil
      guard isHealthy == state.isHealthy else {
        let wanted = state.isHealthy ? "FINISH and PRV_OK" : "an error in done"
        return .fail(
          expected: "\(wanted) when the upstream \(state.name)",
          found: "\(call.status ?? 0)\(call.finishReason == nil ? "" : " after FINISH")")
      }
      guard state.isHealthy == (call.finishReason != nil) else {
        return .fail(expected: "no FINISH when the upstream \(state.name)", found: "one")
      }
    }
    return .pass()
  }
}
