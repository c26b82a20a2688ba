import Glibc
internal import JSON

extension Configuration {
  /// Where a configuration is looked for when nobody says, in order.
  package static let standardFiles = ["./patchbay.json5", "/etc/patchbay/patchbay.json5"]

  /// Finds, reads and checks the configuration: `path` (`--config`), PATCHBAY_CONFIG, the standard files, the defaults.
  package static func load(
    path: String?, environment: @escaping (String) -> String? = Configuration.processEnvironment,
    readFile: @escaping (String) -> ConfigurationFile = ConfigurationFile.read
  ) throws(ConfigurationErrors) -> Configuration {
    let named = path ?? environment("PATCHBAY_CONFIG").flatMap { $0.isEmpty ? nil : $0 }
    for file in named.map({ [$0] }) ?? standardFiles {
      switch readFile(file) {
      case .bytes(let bytes):
        return try parse(text: bytes, file: file, environment: environment, readFile: readFile)
      case .absent where named == nil:
        continue
      case .absent:
        let origin = path == nil ? "PATCHBAY_CONFIG" : "--config"
        throw ConfigurationErrors([
          ConfigurationError(
            .unreadable, path: "", file: file, found: "no such file", expected: "the configuration that \(origin) names"
          )
        ])
      case .unreadable(let reason):
        throw ConfigurationErrors([
          ConfigurationError(
            .unreadable, path: "", file: file, found: reason, expected: "a readable file",
            remedy: "change its owner or mode, or name another")
        ])
      }
    }
    return try parse(text: nil, file: nil, environment: environment, readFile: readFile)
  }

  /// Checks the text of a configuration; nil: there is none, and the defaults hold.
  package static func parse(
    text: [UInt8]?, file: String?, environment: @escaping (String) -> String?,
    readFile: @escaping (String) -> ConfigurationFile
  ) throws(ConfigurationErrors) -> Configuration {
    var reader = ConfigurationReader(file: file, environment: environment, readFile: readFile)
    var configuration = Configuration()
    configuration.file = file
    if let text {
      let node = text.withUnsafeBytes { bytes in
        Result { () throws(JSON5Error) in try JSON5.parse(bytes) }
      }
      switch node {
      case .success(let node):
        reader.readObject(ConfigurationSchema.settings, node, "", into: &configuration)
      case .failure(let error):
        reader.report(
          .syntax, "", found: "text that is not JSON5 in column \(error.column)", expected: "JSON5",
          remedy: error.reason, line: error.line)
        throw ConfigurationErrors(reader.allErrors)
      }
    }
    configuration.applyEnvironment(&reader)
    configuration.derive(reader)
    configuration.check(&reader)
    guard reader.errors.isEmpty else { throw ConfigurationErrors(reader.allErrors) }
    configuration.resolvePaths(reader)
    configuration.providers.removeAll { !$0.isEnabled }
    configuration.warnings = reader.warnings
    configuration.notYetInForce = reader.notYetInForce
    return configuration
  }

  /// The variables that are settings by themselves.
  private mutating func applyEnvironment(_ reader: inout ConfigurationReader) {
    if let address = reader.environment("PATCHBAY_LISTEN"), !address.isEmpty {
      if !TextFormat.address.accepts(address) {
        reader.report(
          .malformed, variable: "PATCHBAY_LISTEN", found: ConfigurationReader.quoted(address),
          expected: TextFormat.address.expected)
      } else {
        if reader.isSet("listeners") { reader.warn("PATCHBAY_LISTEN replaces the listeners of the file") }
        listeners = [Listener(address: address)]
      }
    }
    if !reader.isSet("auth.principals"), let token = reader.environment("PATCHBAY_TOKEN"), !token.isEmpty {
      // A placeholder is no absence here: that would open the host to everyone.
      if Detection.isPlaceholder(token) {
        reader.report(
          .secret, variable: "PATCHBAY_TOKEN", found: "a placeholder", expected: "a token of at least 16 characters",
          remedy: "set it to a real one, or unset it")
      } else if let secret = reader.secret(token, detectedIn: "PATCHBAY_TOKEN", characters: 16) {
        auth.principals = [.init(name: "default", token: secret)]
      }
    }
    if !reader.isSet("providers") { providers = Detection.providers(&reader, echo: echo) }
  }

  /// What follows from other settings where it is absent.
  private mutating func derive(_ reader: ConfigurationReader) {
    let tool = timeouts.toolMilliseconds
    if !reader.isSet("timeouts.daemon_seconds") { timeouts.daemonMilliseconds = (tool * 3 + 1) / 2 }
    if !reader.isSet("timeouts.shim_seconds") { timeouts.shimMilliseconds = tool * 2 }
    if !reader.isSet("timeouts.client_seconds") { timeouts.clientMilliseconds = (tool * 5 + 1) / 2 }
    if !reader.isSet("limits.queue_seconds") {
      limits.queueMilliseconds = timeouts.heartbeatMilliseconds * 3 / 4
    }
    if !reader.isSet("limits.buffered_bytes") {
      limits.bufferedBytes = max(limits.bufferedBytes, Limits.messagesBuffered * limits.frameBytes)
    }
    for index in providers.indices where providers[index].plugin.isEmpty {
      providers[index].plugin = providers[index].id
    }
  }

  private mutating func resolvePaths(_ reader: ConfigurationReader) {
    stateDirectory = reader.resolved(stateDirectory)
    files.roots = files.roots.map { reader.resolved($0) }
    let path = reader.environment("PATCHBAY_PLUGIN_PATH") ?? ""
    plugins.directories = plugins.directories.map { reader.resolved($0) } + path.split(separator: ":").map(String.init)
    storage.path =
      reader.isSet("storage.path") ? reader.resolved(storage.path) : "\(stateDirectory)/\(Storage.fileName)"
    log.file = log.file.map { reader.resolved($0) }
    for index in listeners.indices {
      listeners[index].address = reader.resolved(address: listeners[index].address)
      listeners[index].tls = listeners[index].tls?.resolved(by: reader)
    }
  }

  /// A variable of this process.
  package static func processEnvironment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
