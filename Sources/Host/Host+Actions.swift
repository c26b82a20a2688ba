// What operators do through the page. Thread: control.
extension Host {
  /// Does what was asked since the last look. true: the host is to stop.
  func performActions(_ providers: ProviderBringUp, _ updates: PluginUpdates) -> Bool {
    var stops = false
    for request in services.monitor.actions.takeAll() {
      switch request.action {
      case .drain:
        stops = true
        let seconds = CallError.seconds(configuration.timeouts.drainMilliseconds * 1_000_000)
        request.reply(
          ReloadReport(
            isApplied: true,
            lines: [
              "draining: no call is taken any more; the host ends with its last call, in \(seconds) s at the latest"
            ]
          ))
      case .reload: request.reply(reload(providers, updates))
      case .unquarantine(let provider): request.reply(unquarantine(provider, providers, updates))
      }
    }
    return stops
  }

  private func unquarantine(_ id: String, _ providers: ProviderBringUp, _ updates: PluginUpdates) -> ReloadReport {
    guard let plugins = providers.plugins, let registry = providers.registry,
      let file = plugins.plugin(of: id, providers.configuration.providers, registry.scan)
    else { return ReloadReport(isApplied: false, lines: ["no plugin file was found for a provider \(id)"]) }
    // What runs may be an older file than the one that lies there now.
    let running = registry.active.map { registry.entries[$0] }.first { $0.settings.id == id }?.provider.origin.sha256
    do {
      let freed = try Set([running, file.sha256].compactMap { $0 }).flatMap { try plugins.quarantine.remove($0) }
      guard !freed.isEmpty else {
        return ReloadReport(isApplied: false, lines: ["the plugin of \(id), \(file.path), is not in quarantine"])
      }
    } catch let fault as PluginFault {
      return ReloadReport(isApplied: false, lines: ["\(fault.reason); \(fault.remedy)"])
    } catch {
      return ReloadReport(isApplied: false, lines: ["\(error)"])
    }
    log.info("A plugin was let out of quarantine", ("provider", id), ("path", file.path))
    // Makes it anew; when the configuration cannot be read, the scan that follows does.
    let report = reload(providers, updates)
    return ReloadReport(isApplied: true, lines: ["\(file.path) is out of quarantine"] + report.lines)
  }
}
