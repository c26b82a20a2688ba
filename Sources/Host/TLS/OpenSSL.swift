import CLinux
import Glibc
import Synchronization

/// OpenSSL, opened at run time and only when a listener or a command speaks TLS, with the functions that we use.
///
/// libssl leads to libcrypto, so one handle finds the functions of both. It is never closed: libcurl may use the same
/// one. Thread: any; a handle as OpenSSL's manual says: contexts are shared, connections are not.
package final class OpenSSL: @unchecked Sendable {  // Immutable after `init`.
  /// Why there is no OpenSSL to work with.
  package enum LoadError: Error, Equatable, CustomStringConvertible {
    case missing(String)
    case symbolMissing(String)

    package var description: String {
      switch self {
      case .missing(let reason):
        "cannot load \(OpenSSL.name): \(reason); install the Debian package libssl3, or take the tls settings out"
      case .symbolMissing(let symbol):
        "\(OpenSSL.name) has no \(symbol); install the Debian package libssl3"
      }
    }
  }

  /// 1.1 is out of support, and no system that has it can start this program: its C library is too old.
  static let name = "libssl.so.3"

  package typealias Handle = OpaquePointer
  package typealias Bytes = UnsafePointer<UInt8>
  typealias ALPNCallback =
    @convention(c) (
      Handle?, UnsafeMutablePointer<Bytes?>?, UnsafeMutablePointer<UInt8>?, Bytes?, UInt32, UnsafeMutableRawPointer?
    ) -> Int32
  typealias PasswordCallback =
    @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32

  package let version: String

  let serverMethod: @convention(c) () -> Handle?
  let clientMethod: @convention(c) () -> Handle?
  let contextNew: @convention(c) (Handle?) -> Handle?
  let contextFree: @convention(c) (Handle?) -> Void
  let contextControl: @convention(c) (Handle, Int32, Int, UnsafeMutableRawPointer?) -> Int
  let contextSetOptions: @convention(c) (Handle, UInt64) -> UInt64
  let contextSetSecurityLevel: @convention(c) (Handle, Int32) -> Void
  let contextSetCiphers: @convention(c) (Handle, UnsafePointer<CChar>) -> Int32
  let contextSetTicketCount: @convention(c) (Handle, Int) -> Int32
  let contextUseCertificate: @convention(c) (Handle, Handle) -> Int32
  let contextUseKey: @convention(c) (Handle, Handle) -> Int32
  let contextSetALPN: @convention(c) (Handle, ALPNCallback?, UnsafeMutableRawPointer?) -> Void
  let contextSetVerify: @convention(c) (Handle, Int32, UnsafeMutableRawPointer?) -> Void
  let contextStore: @convention(c) (Handle) -> Handle?
  let contextAddClientAuthority: @convention(c) (Handle, Handle) -> Int32
  let contextSetDefaultVerifyPaths: @convention(c) (Handle) -> Int32
  let storeAddCertificate: @convention(c) (Handle, Handle) -> Int32

  let connectionNew: @convention(c) (Handle) -> Handle?
  let connectionFree: @convention(c) (Handle?) -> Void
  let connectionControl: @convention(c) (Handle, Int32, Int, UnsafeMutableRawPointer?) -> Int
  let connectionSetDescriptor: @convention(c) (Handle, Int32) -> Int32
  let connectionAccept: @convention(c) (Handle) -> Void
  let connectionConnect: @convention(c) (Handle) -> Void
  let connectionSetHost: @convention(c) (Handle, UnsafePointer<CChar>) -> Int32
  let connectionSetVerify: @convention(c) (Handle, Int32, UnsafeMutableRawPointer?) -> Void
  let connectionSetALPN: @convention(c) (Handle, Bytes, UInt32) -> Int32
  let connectionALPN: @convention(c) (Handle, UnsafeMutablePointer<Bytes?>, UnsafeMutablePointer<UInt32>) -> Void
  let connectionVersion: @convention(c) (Handle) -> UnsafePointer<CChar>?
  let handshake: @convention(c) (Handle) -> Int32
  let read: @convention(c) (Handle, UnsafeMutableRawPointer?, Int32) -> Int32
  let write: @convention(c) (Handle, UnsafeRawPointer?, Int32) -> Int32
  let pending: @convention(c) (Handle) -> Int32
  let updateKeys: @convention(c) (Handle, Int32) -> Int32
  let shutdown: @convention(c) (Handle) -> Int32
  let resultKind: @convention(c) (Handle, Int32) -> Int32
  let verifyResult: @convention(c) (Handle) -> Int

  let errorClear: @convention(c) () -> Void
  let errorPeek: @convention(c) () -> UInt
  let errorReason: @convention(c) (UInt) -> UnsafePointer<CChar>?
  let verifyReason: @convention(c) (Int) -> UnsafePointer<CChar>?

  let memoryNew: @convention(c) (UnsafeRawPointer?, Int32) -> Handle?
  let memoryFree: @convention(c) (Handle?) -> Int32
  let readCertificate: @convention(c) (Handle, Handle?, PasswordCallback?, UnsafeMutableRawPointer?) -> Handle?
  let readKey: @convention(c) (Handle, Handle?, PasswordCallback?, UnsafeMutableRawPointer?) -> Handle?
  let certificateFree: @convention(c) (Handle?) -> Void
  let keyFree: @convention(c) (Handle?) -> Void
  let certificateFitsKey: @convention(c) (Handle, Handle) -> Int32
  let certificateSubject: @convention(c) (Handle) -> Handle?
  let certificateNotBefore: @convention(c) (Handle) -> Handle?
  let certificateNotAfter: @convention(c) (Handle) -> Handle?
  let nameText: @convention(c) (Handle, UnsafeMutablePointer<CChar>?, Int32) -> UnsafeMutablePointer<CChar>?
  let timeParts: @convention(c) (Handle?, UnsafeMutablePointer<tm>) -> Int32

  private static let loaded = Mutex<OpenSSL?>(nil)

  /// Opens OpenSSL; from the second time on returns the same.
  package static func load() throws(LoadError) -> OpenSSL {
    let result = loaded.withLock { loaded -> Result<OpenSSL, LoadError> in
      if let loaded { return .success(loaded) }
      do throws(LoadError) {
        let library = try OpenSSL(name)
        loaded = library
        return .success(library)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  init(_ name: String) throws(LoadError) {
    guard let library = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
      throw .missing(dlerror().map { String(cString: $0) } ?? "no reason given")
    }
    /// The caller names the C type, as OpenSSL's manual has it.
    func function<Function>(_ name: String) throws(LoadError) -> Function {
      guard let symbol = dlsym(library, name) else { throw .symbolMissing(name) }
      return unsafeBitCast(symbol, to: Function.self)
    }
    let versionText: @convention(c) (Int32) -> UnsafePointer<CChar>? = try function("OpenSSL_version")
    version = versionText(0).map { String(cString: $0) } ?? "unknown"

    serverMethod = try function("TLS_server_method")
    clientMethod = try function("TLS_client_method")
    contextNew = try function("SSL_CTX_new")
    contextFree = try function("SSL_CTX_free")
    contextControl = try function("SSL_CTX_ctrl")
    contextSetOptions = try function("SSL_CTX_set_options")
    contextSetSecurityLevel = try function("SSL_CTX_set_security_level")
    contextSetCiphers = try function("SSL_CTX_set_cipher_list")
    contextSetTicketCount = try function("SSL_CTX_set_num_tickets")
    contextUseCertificate = try function("SSL_CTX_use_certificate")
    contextUseKey = try function("SSL_CTX_use_PrivateKey")
    contextSetALPN = try function("SSL_CTX_set_alpn_select_cb")
    contextSetVerify = try function("SSL_CTX_set_verify")
    contextStore = try function("SSL_CTX_get_cert_store")
    contextAddClientAuthority = try function("SSL_CTX_add_client_CA")
    contextSetDefaultVerifyPaths = try function("SSL_CTX_set_default_verify_paths")
    storeAddCertificate = try function("X509_STORE_add_cert")
    connectionNew = try function("SSL_new")
    connectionFree = try function("SSL_free")
    connectionControl = try function("SSL_ctrl")
    connectionSetDescriptor = try function("SSL_set_fd")
    connectionAccept = try function("SSL_set_accept_state")
    connectionConnect = try function("SSL_set_connect_state")
    connectionSetHost = try function("SSL_set1_host")
    connectionSetVerify = try function("SSL_set_verify")
    connectionSetALPN = try function("SSL_set_alpn_protos")
    connectionALPN = try function("SSL_get0_alpn_selected")
    connectionVersion = try function("SSL_get_version")
    handshake = try function("SSL_do_handshake")
    read = try function("SSL_read")
    write = try function("SSL_write")
    pending = try function("SSL_pending")
    updateKeys = try function("SSL_key_update")
    shutdown = try function("SSL_shutdown")
    resultKind = try function("SSL_get_error")
    verifyResult = try function("SSL_get_verify_result")
    errorClear = try function("ERR_clear_error")
    errorPeek = try function("ERR_peek_error")
    errorReason = try function("ERR_reason_error_string")
    verifyReason = try function("X509_verify_cert_error_string")
    memoryNew = try function("BIO_new_mem_buf")
    memoryFree = try function("BIO_free")
    readCertificate = try function("PEM_read_bio_X509")
    readKey = try function("PEM_read_bio_PrivateKey")
    certificateFree = try function("X509_free")
    keyFree = try function("EVP_PKEY_free")
    certificateFitsKey = try function("X509_check_private_key")
    certificateSubject = try function("X509_get_subject_name")
    certificateNotBefore = try function("X509_get0_notBefore")
    certificateNotAfter = try function("X509_get0_notAfter")
    nameText = try function("X509_NAME_oneline")
    timeParts = try function("ASN1_TIME_to_tm")
  }

  // MARK: - Errors

  /// The reason of the first error in this thread's queue, as OpenSSL words it; nil: there is none.
  var reason: String? {
    let code = errorPeek()
    guard code != 0 else { return nil }
    return errorReason(code).map { String(cString: $0) } ?? "error \(String(code, radix: 16))"
  }

  /// Whether the first error says that a PEM file has no (further) block of the wanted kind.
  var isNoStartLine: Bool {
    let code = errorPeek()
    return code >> 23 & 0xFF == UInt(CLINUX_ERR_LIB_PEM) && code & 0x7F_FFFF == UInt(CLINUX_PEM_R_NO_START_LINE)
  }
}
