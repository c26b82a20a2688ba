internal import CProviderABI
internal import Host
internal import ProviderContract

/// What a check about calls needs of a provider, beyond that it can be made.
struct ChatNeeds: OptionSet {
  let rawValue: Int
  /// It must reach the scripted upstream.
  static let upstream = ChatNeeds(rawValue: 1)
  static let tools = ChatNeeds(rawValue: 2)
  static let models = ChatNeeds(rawValue: 4)
  static let health = ChatNeeds(rawValue: 8)
  /// Its functions must not block: it is not one for workers only.
  static let swiftness = ChatNeeds(rawValue: 16)
  /// The scripted upstream must speak the OpenAI format: the check has words of its own for it.
  static let format = ChatNeeds(rawValue: 32)

  /// Why `subject` does not meet them; nil: it does.
  func reason(against subject: ChatSubject) -> String? {
    let id = subject.provider.id
    if contains(.models) {
      if !subject.can(PRV_CAN_LIST_MODELS) { return "\(id) does not list models (PRV_CAN_LIST_MODELS)" }
    } else if contains(.health) {
      if !subject.can(PRV_CAN_CHECK_HEALTH) { return "\(id) does not know its health (PRV_CAN_CHECK_HEALTH)" }
    } else if !subject.can(PRV_CAN_CHAT) {
      return "\(id) does not chat (PRV_CAN_CHAT)"
    }
    if contains(.upstream), !subject.speaksHTTP { return "\(id) has no upstream: it does not use prv.http/1" }
    if contains(.format), subject.speaksHTTP, subject.script.isRecorded { return "the recording has no such answer" }
    if contains(.tools), !subject.can(PRV_CAN_TOOLS) { return "\(id) calls no tools (PRV_CAN_TOOLS)" }
    if contains(.swiftness), subject.provider.isBlocking { return "\(id) may block (PRV_PROVIDER_BLOCKING)" }
    return nil
  }
}

/// The checks about calls: the numbers are those of the contract's list.
enum ChatCheck {
  static func make(
    _ id: String, rule: Rule, category: Check.Category, needs: ChatNeeds, proves: String,
    _ body: @escaping @Sendable (ChatSubject) throws(CheckStop) -> Verdict
  ) -> Check {
    Check(id, rule: rule.rawValue, category: category, needs: .instance, proves: proves) {
      (context) throws(CheckStop) in
      let plugin = try context.descriptor()
      let script: ScriptedChat
      do throws(ValidationFault) {
        script = context.recording.isEmpty ? .openAI : try ChatRecording.read(context.recording)
      } catch {
        throw CheckStop(.fail(expected: "a recording that can be read", found: error.description))
      }
      var reasons: [String] = []
      var verdict: Verdict?
      for provider in plugin.description.providers {
        let subject = ChatSubject(context: context, plugin: plugin, provider: provider, script: script)
        if let reason = needs.reason(against: subject) {
          reasons.append(reason)
          continue
        }
        var next = try body(subject)
        if next.status.isBad, plugin.description.providers.count > 1 { next.found += " (provider \(provider.id))" }
        if next.status.isBad { return next }
        if verdict?.status != .warn { verdict = next }
      }
      return verdict ?? .skip(reasons.joined(separator: "; "))
    }
  }

  package static let all: [Check] =
    ModelCallChecks.all + ChatAnswerChecks.all + ChatStreamChecks.all + ChatCancelChecks.all + ChatFlowChecks.all
    + ChatHygieneChecks.all + ChatFuzzChecks.all
}
