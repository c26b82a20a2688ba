internal import CProviderABI
internal import Host
internal import JSON
internal import ProviderContract
internal import ProviderTesting

/// One provider of the plugin that is looked at, on mock hosts whose upstream speaks the OpenAI chat format.
struct ChatSubject {
  static let origin = "https://upstream.invalid"
  static let baseURL = origin + "/v1"

  let context: CheckContext
  let plugin: PluginDescriptor
  let provider: ProviderDescription
  let script: ScriptedChat

  /// Whether it can reach an upstream at all.
  var speaksHTTP: Bool {
    (provider.requiredServices + provider.optionalServices).contains(PRV_SERVICE_HTTP)
  }

  func can(_ capability: UInt64) -> Bool { provider.capabilities & capability != 0 }

  /// A model to ask for: the script's, or the first of the built-in catalogue.
  var model: String {
    if let model = script.model { return model }
    return (try? JSONValue(parsing: provider.modelsJSON))?.array?.first?["id"]?.string ?? "mock-model"
  }

  // MARK: - Hosts and instances

  func host(seed: UInt64? = nil, upstream: MockUpstream? = nil) -> MockHost {
    let host = MockHost(seed: seed)
    host.allowedOrigins = [Self.baseURL]
    host.upstream = upstream
    let crumbs = context.crumbs
    host.onCrossing = { function, handle in
      _ = crumbs.begins(
        "\(function)\(handle == 0 ? "" : "(\(handle & 0xFFFF_FFFF))")\(function.isHosts ? " called" : "")")
    }
    host.onReturn = { function, _ in _ = crumbs.begins("\(function) returned") }
    return host
  }

  func host(_ answer: UpstreamAnswer, seed: UInt64? = nil) -> MockHost {
    host(seed: seed, upstream: MockUpstream([.init(method: "POST", path: "", answer: answer)] + script.routes))
  }

  /// What `create` gets: as for every check, but its upstream is the mock's.
  private var settings: String {
    var members = context.settings(of: provider).members ?? []
    members.removeAll { $0.key == "base_url" }
    members.append(.init("base_url", .string(Self.baseURL)))
    return JSONValue.object(members).text
  }

  func instance(on host: MockHost) throws(CheckStop) -> MockInstance {
    do throws(MockFailure) {
      return try host.makeInstance(plugin.table, provider: provider.id, settings: settings)
    } catch {
      throw CheckStop(
        .fail(expected: "PRV_OK from create(\"\(provider.id)\")", found: "\(error.status): \(error.message)"))
    }
  }

  // MARK: - Calls

  func open(
    _ kind: UInt32, on instance: MockInstance, body: String = ChatScript.request, streams: Bool = true,
    seconds: UInt64 = 60
  ) throws(CheckStop) -> MockCall {
    do throws(MockFailure) {
      return try instance.open(
        kind, body: kind == PRV_CALL_CHAT ? body : "", model: kind == PRV_CALL_CHAT ? model : "", streams: streams,
        seconds: seconds)
    } catch {
      throw CheckStop(.fail(expected: "PRV_OK from call_open", found: "\(error.status): \(error.message)"))
    }
  }

  /// Runs until the call is closed; fails the check when it never is.
  func finish(_ call: MockCall, on host: MockHost) throws(CheckStop) {
    guard !host.finish(call) else { return }
    let found = call.dones.isEmpty ? "done never came" : "done came, but what the call has did not end"
    throw CheckStop(.fail(expected: "the call ends", found: found, rule: Rule.oneDone.rawValue))
  }

  /// One whole chat against `answer`.
  func chat(
    _ answer: UpstreamAnswer, body: String = ChatScript.request, streams: Bool = true, seed: UInt64? = nil,
    seconds: UInt64 = 60
  ) throws(CheckStop) -> ChatOutcome {
    let host = host(answer, seed: seed)
    let instance = try instance(on: host)
    let call = try open(PRV_CALL_CHAT, on: instance, body: body, streams: streams, seconds: seconds)
    try finish(call, on: host)
    instance.destroy()
    return ChatOutcome(host: host, call: call)
  }

  /// One whole call of another kind.
  func ask(_ kind: UInt32, _ answer: UpstreamAnswer, seconds: UInt64 = 60) throws(CheckStop) -> ChatOutcome {
    let host = host(upstream: MockUpstream([.init(method: "GET", path: "", answer: answer)]))
    let instance = try instance(on: host)
    let call = try open(kind, on: instance, seconds: seconds)
    try finish(call, on: host)
    instance.destroy()
    return ChatOutcome(host: host, call: call)
  }
}

/// A call that has ended, and its host.
struct ChatOutcome {
  let host: MockHost
  let call: MockCall

  /// The first breach of one of `rules`, as a failure.
  func breach(of rules: Set<Rule>) -> Verdict? {
    guard let found = host.breaches.first(where: { rules.contains($0.rule) }) else { return nil }
    return .fail(
      expected: found.breach.expected, found: "\(found.breach.found), at \(found.breach.function)",
      rule: found.rule.rawValue)
  }

  /// nil: the call ended well, and said what `script` says.
  func differs(from script: ScriptedChat, when circumstance: String = "") -> Verdict? {
    differs(from: script.text, reason: script.finish, when: circumstance)
  }

  /// nil: the text is `text`, and the call ended well for `reason`.
  func differs(from text: String, reason: String = "stop", when circumstance: String = "") -> Verdict? {
    let suffix = circumstance.isEmpty ? "" : " \(circumstance)"
    guard call.status == PRV_OK else {
      return .fail(
        expected: "PRV_OK in done\(suffix)", found: "\(call.status ?? 0): \(call.dones.first?.message ?? "")")
    }
    guard call.text == text else {
      return .fail(expected: "the text \"\(text.prefix(60))\"\(suffix)", found: "\"\(call.text.prefix(60))\"")
    }
    guard call.finishReason == reason else {
      return .fail(
        expected: "FINISH with \"\(reason)\"\(suffix)", found: call.finishReason.map { "\"\($0)\"" } ?? "none")
    }
    return nil
  }
}
