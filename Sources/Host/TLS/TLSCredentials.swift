import Bytes
import Glibc

/// A certificate with what stands between it and its authority, its private key, and who may sign clients'
/// certificates: read from PEM files and found to belong together.
///
/// Owns OpenSSL's objects. Thread: one at a time.
final class TLSCredentials {
  /// The configuration reads a file whole up to here.
  private static let fileBytesLimit = 1 << 20

  let library: OpenSSL
  /// The host's own first.
  private(set) var chain: [OpenSSL.Handle] = []
  private(set) var key: OpenSSL.Handle?
  private(set) var clientAuthorities: [OpenSSL.Handle] = []
  /// Who the certificate speaks for, as OpenSSL writes it: "/CN=patchbay.example".
  private(set) var subject = ""
  private(set) var notAfter = TLSDate(tm())
  /// Of the files and of what is asked of clients.
  private(set) var digest: [UInt8] = []
  /// What can be served with and is better changed, by the setting it is about.
  private(set) var warnings: [(place: TLSFault.Place, text: String)] = []

  /// Reads and checks the files. `now`: seconds since 1970.
  init(
    _ settings: Configuration.TLS, library: OpenSSL, now: Int = time(nil), readFile: (String) -> ConfigurationFile
  ) throws(TLSFault) {
    self.library = library
    let pem = PEMReader(library: library)
    let certificates = try Self.bytes(.certificate, settings.certificate, readFile)
    chain = try pem.certificates(certificates, .certificate, settings.certificate)
    let secret = try Self.bytes(.key, settings.key, readFile)
    let key = try pem.key(secret, settings.key)
    self.key = key
    subject = library.subject(of: chain[0])
    guard library.certificateFitsKey(chain[0], key) == 1 else {
      throw .mismatch(key: settings.key, certificate: settings.certificate, subject: subject)
    }
    var authorities: [UInt8] = []
    if let path = settings.clientCA {
      authorities = try Self.bytes(.clientCA, path, readFile)
      clientAuthorities = try pem.certificates(authorities, .clientCA, path)
    }
    var hash = SHA256()
    for part in [certificates, secret, authorities, Array(settings.clientCertificates.rawValue.utf8)] {
      part.withUnsafeBytes { hash.update($0) }
    }
    digest = hash.finish()
    judge(settings, now)
  }

  deinit {
    for certificate in chain + clientAuthorities { library.certificateFree(certificate) }
    library.keyFree(key)
  }

  /// The certificates of a file; the caller frees them.
  static func authorities(_ path: String, library: OpenSSL) throws(TLSFault) -> [OpenSSL.Handle] {
    try PEMReader(library: library).certificates(bytes(.clientCA, path, ConfigurationFile.read), .clientCA, path)
  }

  private func judge(_ settings: Configuration.TLS, _ now: Int) {
    notAfter = library.date(library.certificateNotAfter(chain[0]))
    let notBefore = library.date(library.certificateNotBefore(chain[0]))
    if notAfter.seconds < now {
      warnings.append((.certificate, "the certificate \(subject) has expired on \(notAfter); clients will refuse it"))
    } else if notBefore.seconds > now {
      warnings.append((.certificate, "the certificate \(subject) is not valid before \(notBefore)"))
    }
    if let mode = Self.modeIfOpen(settings.key) {
      warnings.append((.key, "others than its owner can read \(settings.key) (mode \(mode)); chmod 600 it"))
    }
  }

  private static func bytes(_ place: TLSFault.Place, _ path: String, _ readFile: (String) -> ConfigurationFile)
    throws(TLSFault) -> [UInt8]
  {
    switch readFile(path) {
    case .bytes(let bytes) where bytes.count <= fileBytesLimit: return bytes
    case .bytes: throw .malformed(place, path: path, reason: "more than \(fileBytesLimit) bytes")
    case .absent: throw .absent(place, path: path)
    case .unreadable(let reason): throw .unreadable(place, path: path, reason: reason)
    }
  }

  /// The octal mode of a file that others may read, or its group change; a group that reads is as Debian's ssl-cert.
  private static func modeIfOpen(_ path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & 0o027 != 0 else { return nil }
    return "0" + String(status.st_mode & 0o777, radix: 8)
  }
}

/// Takes certificates and keys out of PEM text (RFC 7468).
private struct PEMReader {
  let library: OpenSSL

  /// At least one.
  func certificates(_ bytes: [UInt8], _ place: TLSFault.Place, _ path: String) throws(TLSFault) -> [OpenSSL.Handle] {
    var found: [OpenSSL.Handle] = []
    let fault = withMemory(bytes) { memory -> TLSFault? in
      while let certificate = library.readCertificate(memory, nil, refusePassword, nil) { found.append(certificate) }
      guard library.isNoStartLine else {
        return .malformed(place, path: path, reason: library.reason ?? "a broken certificate")
      }
      return found.isEmpty ? .notPEM(place, path: path) : nil
    }
    guard let fault else { return found }
    for certificate in found { library.certificateFree(certificate) }
    throw fault
  }

  func key(_ bytes: [UInt8], _ path: String) throws(TLSFault) -> OpenSSL.Handle {
    var wasAskedForPassword = false
    let result = withMemory(bytes) { memory -> Result<OpenSSL.Handle, TLSFault> in
      if let key = library.readKey(memory, nil, refusePassword, &wasAskedForPassword) { return .success(key) }
      if wasAskedForPassword { return .failure(.encrypted(path: path)) }
      return .failure(
        Self.hasKey(bytes)
          ? .malformed(.key, path: path, reason: "a private key that is broken") : .notPEM(.key, path: path))
    }
    return try result.get()
  }

  /// OpenSSL's decoders say "unsupported" of a text without a key and of a key that is broken.
  private static func hasKey(_ bytes: [UInt8]) -> Bool {
    let mark = Array("PRIVATE KEY-----".utf8)
    return bytes.indices.contains { bytes[$0...].starts(with: mark) }
  }

  private func withMemory<Result>(_ bytes: [UInt8], _ body: (OpenSSL.Handle) -> Result) -> Result {
    library.errorClear()
    defer { library.errorClear() }
    return bytes.withUnsafeBytes { bytes in
      guard let memory = library.memoryNew(bytes.baseAddress, Int32(bytes.count)) else {
        preconditionFailure("BIO_new_mem_buf: out of memory")
      }
      defer { _ = library.memoryFree(memory) }
      return body(memory)
    }
  }
}

/// OpenSSL would ask at the terminal. Notes at `user`, a Bool, that there was a question.
private func refusePassword(
  _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isWriting: Int32, _ user: UnsafeMutableRawPointer?
) -> Int32 {
  user?.storeBytes(of: true, as: Bool.self)
  return -1
}

/// A time of a certificate: "2026-11-26 04:05:06Z".
struct TLSDate: Equatable, CustomStringConvertible {
  /// Since 1970.
  var seconds: Int
  var description: String

  init(_ parts: tm) {
    var parts = parts
    seconds = timegm(&parts)
    func padded(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    description =
      "\(Int(parts.tm_year) + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday)) "
      + "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))Z"
  }
}

extension OpenSSL {
  func subject(of certificate: Handle) -> String {
    var text = [CChar](repeating: 0, count: 256)
    guard let name = certificateSubject(certificate), nameText(name, &text, Int32(text.count)) != nil else { return "" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func date(_ time: Handle?) -> TLSDate {
    var parts = tm()
    // A time that cannot be read becomes 1900: long expired.
    _ = timeParts(time, &parts)
    return TLSDate(parts)
  }
}
