internal import CProviderABI
package import JSON
package import ProviderContract

/// What `create` answered.
struct CreateAnswer: CustomStringConvertible {
  var status: Int32
  /// What it wrote into `error`.
  var sentence: String
  /// The table, when the status is PRV_OK.
  var instance: ProbeInstance?

  var description: String { "status \(status)\(sentence.isEmpty ? " and no sentence" : ", \"\(sentence)\"")" }
}

/// An instance that the plugin made. Destroyed by whoever made it.
struct ProbeInstance: @unchecked Sendable {  // its functions are called one after the other
  var table: prv_provider
  let crumbs: Breadcrumbs

  func start() -> (status: Int32, sentence: String) {
    guard let start = table.start else { return (PRV_OK, "") }
    let gathered = GatheredText()
    let status = crumbs.around("start()") { start(table.`self`, gathered.sink) }
    return (status, gathered.text)
  }

  func stop() {
    guard let stop = table.stop else { return }
    crumbs.around("stop()") { stop(table.`self`) }
  }

  func destroy() {
    guard let destroy = table.destroy else { return }
    crumbs.around("destroy()") { destroy(table.`self`) }
  }

  /// The whole life of an instance that gets no call.
  func live(on host: ProbeHost) {
    host.runJobs()
    if start().status == PRV_OK {
      host.runJobs()
      stop()
    }
    destroy()
  }
}

extension PluginDescriptor {
  /// Calls `create` as the host does.
  func create(_ provider: String, on host: ProbeHost, settings: String, _ crumbs: Breadcrumbs) -> CreateAnswer {
    create(Array(provider.utf8), on: host, settings: Array(settings.utf8), crumbs)
  }

  func create(_ provider: [UInt8], on host: ProbeHost, settings: [UInt8], _ crumbs: Breadcrumbs) -> CreateAnswer {
    var instance = prv_provider()
    instance.size = UInt32(MemoryLayout<prv_provider>.size)
    return create(provider, on: host, settings: settings, into: &instance, crumbs)
  }

  func create(
    _ provider: [UInt8], on host: ProbeHost, settings: [UInt8], into instance: UnsafeMutablePointer<prv_provider>,
    _ crumbs: Breadcrumbs
  ) -> CreateAnswer {
    let gathered = GatheredText()
    let name = String(decoding: provider.prefix(40), as: UTF8.self)
    let excerpt = String(decoding: settings.prefix(80), as: UTF8.self)
    let status = crumbs.around("create(\"\(name)\", \(excerpt)\(settings.count > 80 ? "…" : ""))") {
      lend(provider) { provider in
        lend(settings) { settings in
          table.pointee.create?(table, provider, host.table, settings, instance, gathered.sink) ?? PRV_E_UNSUPPORTED
        }
      }
    }
    let made = status == PRV_OK ? ProbeInstance(table: instance.pointee, crumbs: crumbs) : nil
    return CreateAnswer(status: status, sentence: gathered.text, instance: made)
  }
}

extension CheckContext {
  /// Settings that `create` should take: what the schema requires, what every provider gets, what the author gave.
  package func settings(of provider: ProviderDescription) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("base_url", .string(provider.defaultBaseURL.isEmpty ? "http://127.0.0.1:9/v1" : provider.defaultBaseURL)),
      .init("models", .array([])), .init("has_key", .bool(true)),
    ]
    let own = SettingsSchema(provider.configSchemaJSON)?.required ?? []
    let given = (try? JSONValue(parsing: settings))?.members ?? []
    for member in own + given {
      members.removeAll { $0.key == member.key }
      members.append(member)
    }
    return .object(members)
  }

  /// Makes an instance of `provider` on `host`, with settings that it should take; fails the check when it does not.
  func instance(of provider: ProviderDescription, _ plugin: PluginDescriptor, on host: ProbeHost)
    throws(CheckStop) -> ProbeInstance
  {
    let answer = plugin.create(provider.id, on: host, settings: host.settings.text, crumbs)
    guard let instance = answer.instance else {
      throw CheckStop(.fail(expected: "PRV_OK from create(\"\(provider.id)\")", found: answer.description))
    }
    return instance
  }

  /// A host that offers everything, with the settings of `provider`.
  func host(for provider: ProviderDescription, services: [String] = ProbeHost.all, extraBytes: Int = 0) -> ProbeHost {
    ProbeHost(services: services, settings: settings(of: provider), extraBytes: extraBytes)
  }

  /// Runs `body` for each provider and ends at the first verdict that is not a pass.
  func eachProvider(_ body: (PluginDescriptor, ProviderDescription) throws(CheckStop) -> Verdict) throws(CheckStop)
    -> Verdict
  {
    let plugin = try descriptor()
    var verdict = Verdict.pass()
    for provider in plugin.description.providers {
      let next = try body(plugin, provider)
      if next.status != .pass { return next }
      verdict = next
    }
    return verdict
  }
}
