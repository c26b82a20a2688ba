import CLinux
import Glibc

/// What all connections that were accepted with the same files share: OpenSSL's SSL_CTX, immutable once made.
///
/// Versions, ciphers and what is off: docs/tls.md and docs/decisions/0024. Thread: any; freed with the last connection
/// that it made.
final class TLSContext: @unchecked Sendable {  // OpenSSL counts and locks what its contexts share.
  /// ECDHE and AEAD, nothing else of TLS 1.2; TLS 1.3 has no others.
  private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"
  /// Without finite fields and large curves: a client could choose what costs the host most.
  private static let groups = "X25519:P-256:P-384"
  /// 112 bits: no RSA below 2,048 bits, no SHA-1.
  private static let securityLevel: Int32 = 2
  /// A client's certificate with its chain.
  private static let clientChainBytes = 32 << 10

  let library: OpenSSL
  private let context: OpenSSL.Handle
  let subject: String
  let notAfter: TLSDate
  /// Two contexts with the same serve the same.
  let digest: [UInt8]

  /// Takes what it needs of `credentials`.
  init(_ credentials: TLSCredentials, _ settings: Configuration.TLS) throws(TLSFault) {
    library = credentials.library
    subject = credentials.subject
    notAfter = credentials.notAfter
    digest = credentials.digest
    library.errorClear()
    guard let context = library.contextNew(library.serverMethod()) else {
      throw .refused(.certificate, path: settings.certificate, reason: library.reason ?? "out of memory")
    }
    self.context = context
    harden()
    try use(credentials, settings)
    askClients(credentials.clientAuthorities, settings.clientCertificates)
  }

  deinit { library.contextFree(context) }

  private func harden() {
    let modes =
      CLINUX_SSL_MODE_ENABLE_PARTIAL_WRITE | CLINUX_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
      | CLINUX_SSL_MODE_RELEASE_BUFFERS | CLINUX_SSL_MODE_NO_AUTO_CHAIN
    control(CLINUX_SSL_CTRL_MODE, Int(modes))
    // With it one read would go on for as long as a peer sends records without content.
    control(CLINUX_SSL_CTRL_CLEAR_MODE, Int(CLINUX_SSL_MODE_AUTO_RETRY))
    control(CLINUX_SSL_CTRL_SET_MIN_PROTO_VERSION, Int(CLINUX_TLS1_2_VERSION))
    control(CLINUX_SSL_CTRL_SET_SESS_CACHE_MODE, Int(CLINUX_SSL_SESS_CACHE_OFF))
    control(CLINUX_SSL_CTRL_SET_MAX_CERT_LIST, Self.clientChainBytes)
    _ = library.contextSetTicketCount(context, 0)
    let options =
      CLINUX_SSL_OP_NO_TICKET | CLINUX_SSL_OP_NO_COMPRESSION | CLINUX_SSL_OP_NO_RENEGOTIATION
      | CLINUX_SSL_OP_IGNORE_UNEXPECTED_EOF
    _ = library.contextSetOptions(context, UInt64(options))
    library.contextSetSecurityLevel(context, Self.securityLevel)
    let takesCiphers = library.contextSetCiphers(context, Self.ciphers)
    let takesGroups = Self.groups.withCString { groups in
      library.contextControl(
        context, Int32(CLINUX_SSL_CTRL_SET_GROUPS_LIST), 0, UnsafeMutableRawPointer(mutating: groups))
    }
    precondition(takesCiphers == 1 && takesGroups == 1, "OpenSSL knows our ciphers and groups no more")
    library.contextSetALPN(context, chooseProtocol, nil)
  }

  private func use(_ credentials: TLSCredentials, _ settings: Configuration.TLS) throws(TLSFault) {
    func refused(_ place: TLSFault.Place, _ path: String) -> TLSFault {
      .refused(place, path: path, reason: library.reason ?? "something that OpenSSL does not take")
    }
    guard library.contextUseCertificate(context, credentials.chain[0]) == 1 else {
      throw refused(.certificate, settings.certificate)
    }
    for certificate in credentials.chain.dropFirst() {
      // 1: OpenSSL counts a reference of its own.
      guard
        library.contextControl(
          context, Int32(CLINUX_SSL_CTRL_CHAIN_CERT), 1, UnsafeMutableRawPointer(certificate)) == 1
      else { throw refused(.certificate, settings.certificate) }
    }
    guard let key = credentials.key, library.contextUseKey(context, key) == 1 else { throw refused(.key, settings.key) }
  }

  private func askClients(_ authorities: [OpenSSL.Handle], _ policy: Configuration.TLS.ClientCertificates) {
    let store = library.contextStore(context)
    for authority in authorities {
      // Both take references of their own; one that is there already is no fault.
      if let store { _ = library.storeAddCertificate(store, authority) }
      _ = library.contextAddClientAuthority(context, authority)
    }
    let mode =
      switch policy {
      case .off: CLINUX_SSL_VERIFY_NONE
      case .optional: CLINUX_SSL_VERIFY_PEER
      case .required: CLINUX_SSL_VERIFY_PEER | CLINUX_SSL_VERIFY_FAIL_IF_NO_PEER_CERT
      }
    library.contextSetVerify(context, Int32(mode), nil)
    library.errorClear()
  }

  private func control(_ command: Int, _ value: Int) {
    _ = library.contextControl(context, Int32(command), value, nil)
  }

  /// A server's end of a connection on `descriptor`; nil: out of memory. The caller frees it.
  func accept(_ descriptor: Int32) -> OpenSSL.Handle? {
    library.errorClear()
    guard let connection = library.connectionNew(context) else { return nil }
    guard library.connectionSetDescriptor(connection, descriptor) == 1 else {
      library.connectionFree(connection)
      return nil
    }
    library.connectionAccept(connection)
    return connection
  }
}

/// Takes `http/1.1` if it is among what the client offers; a client that offers only others is refused with the alert
/// no_application_protocol (RFC 7301 §3.2). One that offers nothing does not get here.
private func chooseProtocol(
  _ connection: OpenSSL.Handle?, _ chosen: UnsafeMutablePointer<OpenSSL.Bytes?>?,
  _ chosenCount: UnsafeMutablePointer<UInt8>?, _ offered: OpenSSL.Bytes?, _ offeredCount: UInt32,
  _ user: UnsafeMutableRawPointer?
) -> Int32 {
  let list = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
  var index = 0
  while index < list.count {
    let end = index + 1 + Int(list[index])
    guard end <= list.count else { break }
    let name = UnsafeBufferPointer(rebasing: list[index + 1..<end])
    if name.elementsEqual("http/1.1".utf8) {
      chosen?.pointee = name.baseAddress
      chosenCount?.pointee = UInt8(name.count)
      return Int32(CLINUX_SSL_TLSEXT_ERR_OK)
    }
    index = end
  }
  return Int32(CLINUX_SSL_TLSEXT_ERR_ALERT_FATAL)
}
