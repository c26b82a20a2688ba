/// The files of listeners with TLS are read as the configuration is, so that `patchbay check`, the start and a reload
/// find the same faults.
extension Configuration {
  func checkCertificates(_ reader: inout ConfigurationReader) {
    for (index, listener) in listeners.enumerated() {
      let path = "listeners[\(index)].tls"
      guard let tls = listener.tls?.resolved(by: reader), !reader.hasErrors(below: path) else { continue }
      guard tls.check(&reader, path) else { continue }
      do {
        for warning in try TLSIdentity.load(tls, readFile: reader.readFile).warnings {
          reader.warn("\(path).\(warning.place.rawValue): \(warning.text)")
        }
      } catch {
        reader.report(
          error.kind, "\(path).\(error.place.rawValue)", found: error.found, expected: error.expected,
          remedy: error.remedy)
      }
    }
  }
}

extension Configuration.TLS {
  /// With the paths as the host opens them.
  func resolved(by reader: ConfigurationReader) -> Self {
    var copy = self
    copy.certificate = reader.resolved(certificate)
    copy.key = reader.resolved(key)
    copy.clientCA = clientCA.map { reader.resolved($0) }
    return copy
  }

  /// The files, for whoever watches them.
  var files: [String] { [certificate, key] + (clientCA.map { [$0] } ?? []) }

  /// Whether the settings go together.
  fileprivate func check(_ reader: inout ConfigurationReader, _ path: String) -> Bool {
    switch (clientCertificates, clientCA) {
    case (.off, nil), (.optional, _?), (.required, _?): return true
    case (.optional, nil), (.required, nil):
      reader.report(
        .missingKey, "\(path).client_ca", found: "nothing with client_certificates \"\(clientCertificates.rawValue)\"",
        expected: "the authorities whose certificates are taken")
    case (.off, _?):
      reader.report(
        .conflict, "\(path).client_certificates", found: "\"off\" with client_ca",
        expected: "\"optional\" or \"required\"", remedy: "set it, or take client_ca out")
    }
    return false
  }
}

extension TLSFault {
  fileprivate var kind: ConfigurationError.Kind {
    switch self {
    case .library, .absent, .unreadable: .unreadable
    case .notPEM, .malformed, .encrypted, .refused: .malformed
    case .mismatch: .conflict
    }
  }
}
