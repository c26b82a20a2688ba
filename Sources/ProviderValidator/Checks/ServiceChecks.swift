internal import CProviderABI

/// What an instance asks of its host.
enum ServiceChecks {
  static let all = [declared, missingOptional, missingRequired]

  static let declared = CreateChecks.check(
    "services-declared", rule: "PRV-C1", category: .services,
    proves: "It needs no service that its descriptor does not name."
  ) { context, plugin, provider throws(CheckStop) in
    let services = ProbeHost.all.filter {
      ProbeHost.always.contains($0) || provider.requiredServices.contains($0) || provider.optionalServices.contains($0)
    }
    let host = context.host(for: provider, services: services)
    try context.instance(of: provider, plugin, on: host).live(on: host)
    return .pass()
  }

  static let missingOptional = CreateChecks.check(
    "services-missing-optional", rule: "PRV-C1", category: .services,
    proves: "It gets along without each of its optional services."
  ) { context, plugin, provider throws(CheckStop) in
    for missing in provider.optionalServices {
      let host = context.host(for: provider, services: ProbeHost.all.filter { $0 != missing })
      let answer = plugin.create(provider.id, on: host, settings: host.settings.text, context.crumbs)
      guard let instance = answer.instance else {
        return .fail(expected: "PRV_OK without the optional \(missing)", found: answer.description)
      }
      instance.live(on: host)
    }
    return .pass(provider.optionalServices.joined(separator: " "))
  }

  static let missingRequired = CreateChecks.check(
    "services-missing-required", rule: "PRV-C1", category: .services,
    proves:
      "Without a service that it requires `create` refuses with a sentence; without one that all have it never crashes."
  ) { context, plugin, provider throws(CheckStop) in
    for missing in Set(provider.requiredServices).sorted() {
      let host = context.host(for: provider, services: ProbeHost.all.filter { $0 != missing })
      let answer = plugin.create(provider.id, on: host, settings: host.settings.text, context.crumbs)
      answer.instance?.live(on: host)
      guard answer.instance == nil, !answer.sentence.isEmpty else {
        return .fail(expected: "an error and a sentence without the required \(missing)", found: answer.description)
      }
    }
    for missing in ProbeHost.always where !provider.requiredServices.contains(missing) {
      let host = context.host(for: provider, services: ProbeHost.all.filter { $0 != missing })
      plugin.create(provider.id, on: host, settings: host.settings.text, context.crumbs).instance?.live(on: host)
    }
    return .pass(provider.requiredServices.joined(separator: " "))
  }
}
