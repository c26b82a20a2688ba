import CLinux
import Glibc
package import SystemLibraries

/// OpenSSL, opened at run time and only when a listener or a command speaks TLS, with the functions that we use.
///
/// libssl leads to libcrypto, so one handle finds the functions of both. It is never closed: libcurl may use the same
/// one. Thread: any; a handle as OpenSSL's manual says: contexts are shared, connections are not.
package final class OpenSSL: @unchecked Sendable {  // Immutable after `init`.
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

  private static let loaded = LoadedOnce<OpenSSL>()

  /// Opens OpenSSL; from the second time on returns the same.
  package static func load() throws(SharedLibrary.LoadError) -> OpenSSL {
    try loaded.get { () throws(SharedLibrary.LoadError) in try OpenSSL(name) }
  }

  init(_ name: String) throws(SharedLibrary.LoadError) {
    let library = try SharedLibrary(
      name, remedy: "install the Debian package libssl3, or take the tls settings out")
    let versionText: @convention(c) (Int32) -> UnsafePointer<CChar>? = try library.function("OpenSSL_version")
    version = versionText(0).map { String(cString: $0) } ?? "unknown"

    serverMethod = try library.function("TLS_server_method")
    clientMethod = try library.function("TLS_client_method")
    contextNew = try library.function("SSL_CTX_new")
    contextFree = try library.function("SSL_CTX_free")
    contextControl = try library.function("SSL_CTX_ctrl")
    contextSetOptions = try library.function("SSL_CTX_set_options")
    contextSetSecurityLevel = try library.function("SSL_CTX_set_security_level")
    contextSetCiphers = try library.function("SSL_CTX_set_cipher_list")
    contextSetTicketCount = try library.function("SSL_CTX_set_num_tickets")
    contextUseCertificate = try library.function("SSL_CTX_use_certificate")
    contextUseKey = try library.function("SSL_CTX_use_PrivateKey")
    contextSetALPN = try library.function("SSL_CTX_set_alpn_select_cb")
    contextSetVerify = try library.function("SSL_CTX_set_verify")
    contextStore = try library.function("SSL_CTX_get_cert_store")
    contextAddClientAuthority = try library.function("SSL_CTX_add_client_CA")
    contextSetDefaultVerifyPaths = try library.function("SSL_CTX_set_default_verify_paths")
    storeAddCertificate = try library.function("X509_STORE_add_cert")
    connectionNew = try library.function("SSL_new")
    connectionFree = try library.function("SSL_free")
    connectionControl = try library.function("SSL_ctrl")
    connectionSetDescriptor = try library.function("SSL_set_fd")
    connectionAccept = try library.function("SSL_set_accept_state")
    connectionConnect = try library.function("SSL_set_connect_state")
    connectionSetHost = try library.function("SSL_set1_host")
    connectionSetVerify = try library.function("SSL_set_verify")
    connectionSetALPN = try library.function("SSL_set_alpn_protos")
    connectionALPN = try library.function("SSL_get0_alpn_selected")
    connectionVersion = try library.function("SSL_get_version")
    handshake = try library.function("SSL_do_handshake")
    read = try library.function("SSL_read")
    write = try library.function("SSL_write")
    pending = try library.function("SSL_pending")
    updateKeys = try library.function("SSL_key_update")
    shutdown = try library.function("SSL_shutdown")
    resultKind = try library.function("SSL_get_error")
    verifyResult = try library.function("SSL_get_verify_result")
    errorClear = try library.function("ERR_clear_error")
    errorPeek = try library.function("ERR_peek_error")
    errorReason = try library.function("ERR_reason_error_string")
    verifyReason = try library.function("X509_verify_cert_error_string")
    memoryNew = try library.function("BIO_new_mem_buf")
    memoryFree = try library.function("BIO_free")
    readCertificate = try library.function("PEM_read_bio_X509")
    readKey = try library.function("PEM_read_bio_PrivateKey")
    certificateFree = try library.function("X509_free")
    keyFree = try library.function("EVP_PKEY_free")
    certificateFitsKey = try library.function("X509_check_private_key")
    certificateSubject = try library.function("X509_get_subject_name")
    certificateNotBefore = try library.function("X509_get0_notBefore")
    certificateNotAfter = try library.function("X509_get0_notAfter")
    nameText = try library.function("X509_NAME_oneline")
    timeParts = try library.function("ASN1_TIME_to_tm")
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
