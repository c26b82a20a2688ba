import CLinux
import Glibc

/// One end of a TLS connection on a non-blocking socket that somebody else owns.
///
/// OpenSSL's object is made with the first byte, so a peer that only connects costs no more than on a plain port.
///
/// No byte is hidden from epoll: OpenSSL reads the socket record by record, and a read has room for a whole record, so
/// what it has not handed out is still in the socket. Thread: the loop's.
final class TLSConnection {
  enum Handshake: Equatable {
    case done
    /// It goes on when the descriptor is ready for this.
    case waits(DescriptorInterest)
    /// The peer began with a letter: it speaks HTTP, not TLS.
    case plainText
    /// The peer left without a byte.
    case nothing
    /// Why, in OpenSSL's words; the alert that says so has been sent.
    case failed(String)
  }

  /// The most that a record holds (RFC 8446 §5.1).
  static let recordBytes = 16 << 10

  let descriptor: Int32
  private let identity: TLSIdentity
  private var library: OpenSSL?
  private var connection: OpenSSL.Handle?
  /// Reading stopped because OpenSSL has something to write first, a key update's answer (RFC 8446 §4.6.3).
  private(set) var readWaitsToWrite = false

  init(descriptor: Int32, identity: TLSIdentity) {
    self.descriptor = descriptor
    self.identity = identity
  }

  deinit { library?.connectionFree(connection) }

  // MARK: - The handshake

  /// Goes on with the handshake as far as what has come allows: at most one signature is made in it.
  func shakeHands() -> Handshake {
    guard let connection, let library else { return begin() }
    library.errorClear()
    let status = library.handshake(connection)
    if status == 1 { return .done }
    switch library.resultKind(connection, status) {
    case Int32(CLINUX_SSL_ERROR_WANT_READ): return .waits(.read)
    case Int32(CLINUX_SSL_ERROR_WANT_WRITE): return .waits(.write)
    case Int32(CLINUX_SSL_ERROR_SSL): return .failed(reason(library, connection))
    default: return .failed("the peer ended the connection")
    }
  }

  private func begin() -> Handshake {
    var first: UInt8 = 0
    let count = recv(descriptor, &first, 1, Int32(MSG_PEEK))
    guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) ? .waits(.read) : .nothing }
    // A handshake record begins with 22 (RFC 8446 §5.1), a method with a letter (RFC 9110 §9.1).
    if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) { return .plainText }
    let context = identity.current
    library = context.library
    connection = context.accept(descriptor)
    guard connection != nil else { return .failed("out of memory") }
    return shakeHands()
  }

  /// What OpenSSL says, and for a certificate that it does not trust, why.
  private func reason(_ library: OpenSSL, _ connection: OpenSSL.Handle) -> String {
    let reason = library.reason ?? "no reason given"
    let verdict = library.verifyResult(connection)
    guard verdict != CLINUX_X509_V_OK, let why = library.verifyReason(verdict) else { return reason }
    return "\(reason): \(String(cString: why))"
  }

  // MARK: - After it

  /// As `Transport.read`; a close_notify and an end without one are both the end. `limit` is at least `recordBytes`.
  func read(into room: UnsafeMutableRawBufferPointer, limit: Int) -> Transport.Outcome {
    guard let connection, let library else { return .failed }
    readWaitsToWrite = false
    library.errorClear()
    let count = library.read(connection, room.baseAddress, Int32(clamping: limit))
    if count > 0 { return .bytes(Int(count)) }
    switch library.resultKind(connection, count) {
    case Int32(CLINUX_SSL_ERROR_WANT_READ): return .blocked
    case Int32(CLINUX_SSL_ERROR_WANT_WRITE):
      readWaitsToWrite = true
      return .blocked
    case Int32(CLINUX_SSL_ERROR_ZERO_RETURN): return .ended
    default: return .failed
    }
  }

  /// As `Transport.write`; takes a record at most.
  func write(_ bytes: UnsafeRawBufferPointer) -> Transport.Outcome {
    guard let connection, let library else { return .failed }
    library.errorClear()
    let count = library.write(connection, bytes.baseAddress, Int32(clamping: bytes.count))
    if count > 0 { return .bytes(Int(count)) }
    // A write that waits to read would be a renegotiation, which is off.
    return library.resultKind(connection, count) == CLINUX_SSL_ERROR_WANT_WRITE ? .blocked : .failed
  }

  /// Tells the peer that nothing more comes (RFC 8446 §6.1). False: the socket has no room for that now.
  func close() -> Bool {
    guard let connection, let library else { return true }
    library.errorClear()
    let status = library.shutdown(connection)
    return status >= 0 || library.resultKind(connection, status) != CLINUX_SSL_ERROR_WANT_WRITE
  }
}
