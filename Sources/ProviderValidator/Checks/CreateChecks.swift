internal import CProviderABI
internal import Glibc
internal import JSON
internal import ProviderContract

/// `create`: what it makes, what it refuses, and how.
enum CreateChecks {
  static let all = [
    basic, unknownID, trailingGarbage, malformedSettings, allowedSettings, forbiddenSettings, noNetwork, time,
    withinSize, newerHost,
  ]

  static func check(
    _ id: String, rule: String, needs: Check.Stage = .instance, category: Check.Category = .create, proves: String,
    _ judge: @escaping @Sendable (CheckContext, PluginDescriptor, ProviderDescription) throws(CheckStop) -> Verdict
  ) -> Check {
    Check(id, rule: rule, category: category, needs: needs, proves: proves) { context throws(CheckStop) in
      try context.eachProvider { (plugin, provider) throws(CheckStop) in try judge(context, plugin, provider) }
    }
  }

  static let basic = check(
    "create-basic", rule: "PRV-R004", needs: .descriptor,
    proves: "Each provider can be made with plain settings, and its instance has every function that it must have."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    let instance = try context.instance(of: provider, plugin, on: host)
    let table = instance.table
    let missing = [
      ("destroy", table.destroy == nil), ("call_open", table.call_open == nil),
      ("call_cancel", table.call_cancel == nil), ("call_close", table.call_close == nil),
    ].filter(\.1).map(\.0)
    guard missing.isEmpty else {
      return .fail(
        expected: "the functions that are not optional", found: "no \(missing.joined(separator: ", "))", rule: "PRV-C1")
    }
    let least = MemoryLayout<prv_provider>.size
    guard Int(table.size) >= least else {
      return .fail(expected: "prv_provider.size of at least \(least)", found: "\(table.size)", rule: "PRV-C1")
    }
    let started = instance.start()
    host.runJobs()
    instance.stop()
    instance.destroy()
    return started.status == PRV_OK
      ? .pass() : .fail(expected: "PRV_OK from start", found: "status \(started.status), \"\(started.sentence)\"")
  }

  static let unknownID = Check(
    "create-unknown-id", rule: "PRV-C4", category: .create, needs: .instance,
    proves: "A provider that the plugin does not have is refused with PRV_E_NOT_FOUND."
  ) { context throws(CheckStop) in
    let plugin = try context.descriptor()
    return try refuses(["no-such-provider", ""], plugin, context)
  }

  static let trailingGarbage = check(
    "create-id-with-trailing-garbage", rule: "PRV-C4",
    proves: "Ids are compared whole: neither a longer nor a shorter one is taken for the provider."
  ) { context, plugin, provider throws(CheckStop) in
    let ids = plugin.description.providers.map(\.id)
    let near = [
      "\(provider.id)x", "\(provider.id)\0", "\(provider.id)\0x", "\(provider.id) ", String(provider.id.dropLast()),
    ]
    return try refuses(near.filter { !ids.contains($0) }, plugin, context)
  }

  private static func refuses(_ ids: [String], _ plugin: PluginDescriptor, _ context: CheckContext)
    throws(CheckStop) -> Verdict
  {
    for id in ids {
      let answer = plugin.create(id, on: ProbeHost(), settings: #"{"base_url":"http://127.0.0.1:9"}"#, context.crumbs)
      answer.instance?.destroy()
      guard answer.status == PRV_E_NOT_FOUND else {
        let shown = id.replacing("\0", with: "\\0")
        return .fail(
          expected: "PRV_E_NOT_FOUND (\(PRV_E_NOT_FOUND)) for the id \"\(shown)\"", found: answer.description)
      }
    }
    return .pass()
  }

  static let malformedSettings = check(
    "create-malformed-config", rule: "PRV-R013",
    proves: "Settings that are no JSON object, of any size, are refused with a sentence, or ignored; nothing breaks."
  ) { context, plugin, provider throws(CheckStop) in
    for (meaning, bytes) in HostileText.samples(seed: context.seed) {
      let host = context.host(for: provider)
      let answer = plugin.create(Array(provider.id.utf8), on: host, settings: bytes, context.crumbs)
      if let instance = answer.instance {
        instance.live(on: host)
      } else if answer.sentence.isEmpty || answer.status >= 0 {
        return .fail(expected: "an error code and a sentence for \(meaning)", found: answer.description, rule: "PRV-C4")
      }
    }
    return .pass()
  }

  static let allowedSettings = check(
    "create-allowed-settings", rule: "PRV-C4",
    proves: "Every default, choice and bound of its own schema is taken."
  ) { context, plugin, provider throws(CheckStop) in
    for example in SettingsSchema(provider.configSchemaJSON)?.allowed ?? [] {
      let (answer, host) = create(example, context, plugin, provider)
      guard let instance = answer.instance else {
        return .fail(
          expected: "\(example.setting) may be \(example.value.text), \(example.meaning)", found: answer.description)
      }
      instance.live(on: host)
    }
    return .pass()
  }

  static let forbiddenSettings = check(
    "create-invalid-config", rule: "PRV-C4",
    proves: "What its own schema forbids is refused with PRV_E_INVALID_ARGUMENT and a sentence that names the setting."
  ) { context, plugin, provider throws(CheckStop) in
    for example in SettingsSchema(provider.configSchemaJSON)?.forbidden ?? [] {
      let (answer, host) = create(example, context, plugin, provider)
      answer.instance?.live(on: host)
      guard answer.status == PRV_E_INVALID_ARGUMENT, answer.sentence.contains(example.setting) else {
        return .fail(
          expected: "PRV_E_INVALID_ARGUMENT (\(PRV_E_INVALID_ARGUMENT)) and a sentence with \"\(example.setting)\" for "
            + "the value \(example.value.text), \(example.meaning)",
          found: answer.description)
      }
    }
    return .pass()
  }

  private static func create(
    _ example: SettingsSchema.Example, _ context: CheckContext, _ plugin: PluginDescriptor,
    _ provider: ProviderDescription
  ) -> (CreateAnswer, ProbeHost) {
    let host = context.host(for: provider)
    var members = (host.settings.members ?? []).filter { $0.key != example.setting }
    members.append(.init(example.setting, example.value))
    return (plugin.create(provider.id, on: host, settings: JSONValue.object(members).text, context.crumbs), host)
  }

  static let noNetwork = Check(
    "create-no-network", rule: "PRV-R004", category: .create, needs: .instance,
    proves: "`create` and `start` open no socket and begin no HTTP exchange."
  ) { context throws(CheckStop) in
    let watch = try SyscallWatch(.network)
    return try context.eachProvider { (plugin, provider) throws(CheckStop) in
      let host = context.host(for: provider)
      let calls = try watch.during { () throws(CheckStop) in
        try context.instance(of: provider, plugin, on: host).live(on: host)
      }
      let requests = host.notes.withLock(\.requests)
      let found = calls + (requests > 0 ? ["\(requests) requests of prv.http/1"] : [])
      return found.isEmpty ? .pass() : .fail(expected: "no network", found: found.joined(separator: "; "))
    }
  }

  private static let slowMilliseconds = 1000.0

  static let time = check(
    "create-time", rule: "PRV-R004", proves: "`create`, `start`, `stop` and `destroy` take at most a second together."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    let (_, milliseconds) = try MonotonicClock.measure { () throws(CheckStop) in
      try context.instance(of: provider, plugin, on: host).live(on: host)
    }
    return .timed(milliseconds, limit: slowMilliseconds, "an instance's life")
  }

  static let withinSize = check(
    "create-writes-within-size", rule: "PRV-C1",
    proves: "`create` writes no field of the instance that the host's size does not cover."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    let answer = try GuardedMemory.lend(count: MemoryLayout<prv_provider>.size) { (memory) throws(CheckStop) in
      let instance = memory.baseAddress!.bindMemory(to: prv_provider.self, capacity: 1)
      instance.pointee.size = UInt32(MemoryLayout<prv_provider>.size)
      return plugin.create(
        Array(provider.id.utf8), on: host, settings: Array(host.settings.text.utf8), into: instance, context.crumbs)
    }
    answer.instance?.live(on: host)
    return answer.status == PRV_OK ? .pass() : .fail(expected: "PRV_OK", found: answer.description)
  }

  static let newerHost = check(
    "create-newer-host", rule: "PRV-C1",
    proves: "A host of a newer minor, whose tables are longer, gets its instances as this one does."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider, extraBytes: 64)
    try context.instance(of: provider, plugin, on: host).live(on: host)
    return .pass()
  }
}
