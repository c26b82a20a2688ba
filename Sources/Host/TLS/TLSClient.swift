import CLinux
import Glibc

/// A client's end of a TLS connection on a blocking socket that somebody else owns: for the commands that ask a
/// running host.
///
/// The host's certificate must be signed by an authority that is known, and be for the name that was asked.
/// Thread: one at a time.
package final class TLSClient {
  /// Why there is no connection, with what to do.
  package struct Failure: Error, CustomStringConvertible {
    package var description: String
  }

  private let library: OpenSSL
  private let context: OpenSSL.Handle
  private let connection: OpenSSL.Handle

  /// Shakes hands. `authorities`: a PEM file with those that are trusted; nil: those that the system trusts.
  package init(descriptor: Int32, host: String, authorities: String?) throws(Failure) {
    // OpenSSL writes without MSG_NOSIGNAL.
    signal(SIGPIPE, SIG_IGN)
    do {
      library = try OpenSSL.load()
    } catch {
      throw Failure(description: "\(error)")
    }
    library.errorClear()
    guard let context = library.contextNew(library.clientMethod()) else {
      throw Failure(description: "OpenSSL cannot make a context: \(library.reason ?? "out of memory")")
    }
    guard let connection = library.connectionNew(context) else {
      library.contextFree(context)
      throw Failure(description: "OpenSSL cannot make a connection: \(library.reason ?? "out of memory")")
    }
    self.context = context
    self.connection = connection
    try trust(authorities)
    ask(host, descriptor)
    let status = library.handshake(connection)
    guard status == 1 else { throw failure(host) }
  }

  deinit {
    library.connectionFree(connection)
    library.contextFree(context)
  }

  private func trust(_ authorities: String?) throws(Failure) {
    guard let authorities else {
      _ = library.contextSetDefaultVerifyPaths(context)
      return
    }
    do throws(TLSFault) {
      let store = library.contextStore(context)
      for certificate in try TLSCredentials.authorities(authorities, library: library) {
        if let store { _ = library.storeAddCertificate(store, certificate) }
        library.certificateFree(certificate)
      }
    } catch {
      throw Failure(description: "found \(error.found), expected \(error.expected)")
    }
  }

  private func ask(_ host: String, _ descriptor: Int32) {
    // The connection took its settings from the context when it was made: from here on they are its own.
    library.connectionSetVerify(connection, Int32(CLINUX_SSL_VERIFY_PEER), nil)
    _ = library.connectionControl(
      connection, Int32(CLINUX_SSL_CTRL_SET_MIN_PROTO_VERSION), Int(CLINUX_TLS1_2_VERSION), nil)
    _ = library.connectionSetHost(connection, host)
    if SocketAddress(literal: host, port: 0) == nil {
      // An address is no name that a server could choose its certificate by (RFC 6066 §3).
      host.withCString {
        _ = library.connectionControl(
          connection, Int32(CLINUX_SSL_CTRL_SET_TLSEXT_HOSTNAME), 0, UnsafeMutableRawPointer(mutating: $0))
      }
    }
    let protocols = [UInt8(8)] + Array("http/1.1".utf8)
    _ = library.connectionSetALPN(connection, protocols, UInt32(protocols.count))
    _ = library.connectionSetDescriptor(connection, descriptor)
    library.connectionConnect(connection)
    library.errorClear()
  }

  private func failure(_ host: String) -> Failure {
    let reason = library.reason ?? "the connection ended"
    let verdict = library.verifyResult(connection)
    guard verdict != CLINUX_X509_V_OK, let why = library.verifyReason(verdict) else {
      return Failure(description: "no TLS with \(host): \(reason)")
    }
    return Failure(
      description: "the certificate of \(host) is not trusted: \(String(cString: why)); "
        + "name the file of its authority with --ca")
  }

  /// As recv(2): the number of bytes, 0 at the end, negative with errno.
  package func read(into room: UnsafeMutableRawBufferPointer) -> Int {
    library.errorClear()
    let count = library.read(connection, room.baseAddress, Int32(clamping: room.count))
    return outcome(count)
  }

  /// As send(2).
  package func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    library.errorClear()
    return outcome(library.write(connection, bytes.baseAddress, Int32(clamping: bytes.count)))
  }

  /// Says goodbye, as far as the socket takes it.
  package func close() { _ = library.shutdown(connection) }

  private func outcome(_ count: Int32) -> Int {
    if count > 0 { return Int(count) }
    switch library.resultKind(connection, count) {
    case Int32(CLINUX_SSL_ERROR_ZERO_RETURN): return 0
    case Int32(CLINUX_SSL_ERROR_WANT_READ), Int32(CLINUX_SSL_ERROR_WANT_WRITE): errno = EAGAIN
    case Int32(CLINUX_SSL_ERROR_SYSCALL) where errno != 0: break
    default: errno = EPROTO
    }
    return -1
  }
}
