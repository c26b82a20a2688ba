/// Other certificates for a listener that stands.
struct CertificateChange: CustomStringConvertible {
  fileprivate var identity: TLSIdentity
  fileprivate var context: TLSContext
  fileprivate var place: String
  fileprivate var previous: TLSContext

  var description: String { "\(place): \(Self.words(previous)) → \(Self.words(context))" }

  private static func words(_ context: TLSContext) -> String {
    "certificate \(context.subject), valid until \(context.notAfter)"
  }
}

extension Host {
  /// How the listener shows itself; nil: it does not speak TLS.
  func makeIdentity(_ setting: Configuration.Listener, _ index: Int) throws(HostError) -> TLSIdentity? {
    guard let tls = setting.tls else { return nil }
    let context = try load(tls, index)
    let identity = TLSIdentity(context)
    identities[index] = identity
    tell(context, place(index))
    return identity
  }

  /// The listeners whose files hold something else now, all read and found good, or none. Thread: control.
  func changedCertificates(_ wanted: Configuration) throws(HostError) -> [CertificateChange] {
    var changes: [CertificateChange] = []
    for (index, setting) in wanted.listeners.enumerated() {
      guard let tls = setting.tls, let identity = identities[index] else { continue }
      let context = try load(tls, index)
      let previous = identity.current
      guard context.digest != previous.digest else { continue }
      changes.append(CertificateChange(identity: identity, context: context, place: place(index), previous: previous))
    }
    return changes
  }

  /// From now on new connections see the other certificate. Thread: control.
  func adopt(_ change: CertificateChange) {
    change.identity.replace(with: change.context)
    tell(change.context, change.place)
  }

  private func place(_ index: Int) -> String { "listeners[\(index)].tls" }

  private func load(_ tls: Configuration.TLS, _ index: Int) throws(HostError) -> TLSContext {
    do {
      return try TLSIdentity.load(tls).context
    } catch {
      throw HostError(
        description: "\(place(index)).\(error.place.rawValue): found \(error.found), expected \(error.expected)"
          + (error.remedy.isEmpty ? "" : "; \(error.remedy)"))
    }
  }

  private func tell(_ context: TLSContext, _ place: String) {
    log.info(
      "TLS certificate", ("setting", place), ("subject", context.subject), ("valid_until", "\(context.notAfter)"))
  }
}
