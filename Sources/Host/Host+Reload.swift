import Decisions

/// What became of a reload: the lines that whoever asked is shown, and the log has.
package struct ReloadReport: Equatable, Sendable {
  package var isApplied: Bool
  package var lines: [String]
}

extension Host {
  /// Reads the configuration anew and takes it in force, or keeps the old one and says why. Thread: control.
  func reload(_ providers: ProviderBringUp, _ updates: PluginUpdates) -> ReloadReport {
    // What it was about to adopt follows from the old configuration. Files are its own to look at, with canaries.
    observer?.reloading()
    updates.abandon()
    defer {
      updates.filesChanged(triesAgain: true)
      observer?.reloaded()
    }
    let loaded: Configuration
    do {
      loaded = try readAgain()
    } catch {
      return keep(error.errors.map(\.description))
    }
    let changes = configuration.changes(to: loaded)
    let wanted = loaded.keepingFixed(of: configuration)
    for secret in wanted.secrets { log.redact(secret.value) }
    if let fault = danger(of: wanted) { return keep([fault]) }
    let certificates: [CertificateChange]
    do {
      certificates = try changedCertificates(wanted)
    } catch {
      return keep([error.description])
    }
    let registry: ProviderRegistry
    do {
      registry = try providers.renew(for: wanted)
    } catch {
      return keep([error.description])
    }
    if let previous = providers.registry { registry.tell(log, after: previous) }
    DescriptorTable.reserve(for: wanted.limits)
    services.principals.replace(wanted.auth.known)
    adopt(wanted.log.level, registry)
    providers.adopt(registry, wanted)
    observer?.adopt(wanted.alerts)
    for change in certificates { adopt(change) }
    configuration = wanted
    services.monitor.show(wanted)
    services.health.reloaded(faults: [])
    for change in changes {
      log.write(
        change.needsRestart ? .warning : .info,
        change.needsRestart ? "A changed setting needs a restart" : "Setting changed",
        [("setting", change.path), ("from", change.from ?? "absent"), ("to", change.to ?? "absent")])
    }
    for note in wanted.notYetInForce + wanted.warnings { log.warning("Configuration", ("note", note)) }
    log.info("Configuration reloaded", ("changes", "\(changes.count + certificates.count)"))
    let lines = changes.map(\.description) + certificates.map(\.description)
    return ReloadReport(isApplied: true, lines: lines.isEmpty ? ["nothing has changed"] : lines)
  }

  private func keep(_ faults: [String]) -> ReloadReport {
    for fault in faults { log.error("The configuration was not reloaded; the old one stays", ("reason", fault)) }
    services.health.reloaded(faults: faults)
    return ReloadReport(isApplied: false, lines: faults)
  }

  /// What a running host cannot take, though it would be good for a start.
  private func danger(of wanted: Configuration) -> String? {
    do {
      try DescriptorTable.check(wanted.limits)
    } catch {
      return error.description
    }
    guard wanted.auth.isOpen else { return nil }
    let open = wanted.listeners.first { listener in
      guard let address = try? BindAddress(parsing: listener.address) else { return false }
      return !address.isLoopback
    }
    return open.map {
      "auth.principals: found none while the host listens on \($0.address), expected a principal; "
        + "restart the host to listen on loopback only"
    }
  }
}
