// How a host is observed: who makes the observer, and what the host tells it.
extension Host {
  /// Thread: control, before the loops start.
  func makeObserver(_ loops: [HostLoop]) -> HealthObserver {
    let eventLoops = loops.map(\.eventLoop)
    let webhook = AlertWebhook(
      loop: eventLoops[0], client: CurlUpstreamClient(loop: eventLoops[0], log: log), log: log,
      version: services.version)
    webhook.adopt(configuration.alerts.webhook)
    return HealthObserver(
      monitor: services.health, log: log, loops: eventLoops,
      disks: [configuration.stateDirectory, configuration.storage.directory], webhook: webhook,
      notice: ServiceNotice(environment: Configuration.processEnvironment))
  }
}

extension Configuration.Storage {
  /// Where the database's file is; its file system is what fills up.
  var directory: String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

extension Configuration.Alerts {
  /// nil: nobody is told.
  var webhook: AlertWebhook.Settings? { webhookURL.map { AlertWebhook.Settings(url: $0, token: webhookToken) } }
}
