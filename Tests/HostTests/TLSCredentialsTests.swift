import Glibc
import Testing

@testable import Host

struct TLSCredentialsTests {
  let fixture: TLSFixture

  init() throws { fixture = try TLSFixture.shared.get() }

  private func settings(_ certificate: String, _ key: String, ca: String? = nil) -> Configuration.TLS {
    var settings = Configuration.TLS(certificate: fixture.path(certificate), key: fixture.path(key))
    settings.clientCA = ca.map { fixture.path($0) }
    if ca != nil { settings.clientCertificates = .required }
    return settings
  }

  private func fault(_ settings: Configuration.TLS) throws -> TLSFault? {
    do {
      _ = try TLSIdentity.load(settings)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [("server.pem", "server.key"), ("chain.pem", "server.key"), ("rsa.pem", "rsa.key")])
  func `files that belong together are taken`(certificate: String, key: String) throws {
    let loaded = try TLSIdentity.load(settings(certificate, key))
    #expect(loaded.context.subject == (key == "rsa.key" ? "/CN=rsa" : "/CN=server"))
    #expect(loaded.warnings.map(\.text) == [])
  }

  @Test(
    arguments: [
      ("absent.pem", "server.key", "no file", "certificate"),
      ("server.pem", "absent.key", "no file", "key"),
      (".", "server.key", "not a regular file", "certificate"),
      ("nothing.pem", "server.key", "no PEM certificate", "certificate"),
      ("server.key", "server.key", "no PEM certificate", "certificate"),
      ("cut.pem", "server.key", "bad end line", "certificate"),
      ("server.pem", "nothing.pem", "no PEM private key", "key"),
      ("server.pem", "server.pem", "no PEM private key", "key"),
      ("server.pem", "cut.key", "a private key that is broken", "key"),
      ("server.pem", "encrypted.key", "an encrypted private key", "key"),
      ("server.pem", "other.key", "does not fit the certificate /CN=server", "key"),
      ("server.pem", "rsa.key", "does not fit the certificate /CN=server", "key"),
      ("reversed.pem", "server.key", "does not fit the certificate /CN=ca", "key"),
      ("short.pem", "short.key", "key too small", "certificate"),
    ])
  func `files that cannot be served with are refused, and the reason says which`(
    certificate: String, key: String, reason: String, place: String
  ) throws {
    let fault = try #require(try fault(settings(certificate, key)))
    #expect(fault.found.contains(reason) && fault.place.rawValue == place, "\(fault.found)")
    let named = place == "key" ? key : certificate
    #expect(fault.found.contains(ConfigurationReader.quoted(fixture.path(named))), "\(fault.found)")
  }

  @Test(arguments: ["absent.pem", "nothing.pem", "cut.pem"])
  func `authorities of clients that cannot be read are refused`(name: String) throws {
    let fault = try #require(try fault(settings("server.pem", "server.key", ca: name)))
    #expect(fault.place == .clientCA)
  }

  @Test func `a file that is larger than a configuration may be is refused`() throws {
    let large = [UInt8](repeating: 0x20, count: (1 << 20) + 1)
    let library = try OpenSSL.load()
    #expect(throws: TLSFault.malformed(.certificate, path: "c", reason: "more than 1048576 bytes")) {
      _ = try TLSCredentials(.init(certificate: "c", key: "k"), library: library) { _ in .bytes(large) }
    }
  }

  @Test func `a certificate that has expired, or is not valid yet, is served with and told`() throws {
    let library = try OpenSSL.load()
    func warnings(after days: Int) throws -> [String] {
      try TLSCredentials(
        settings("server.pem", "server.key"), library: library, now: time(nil) + days * 86_400,
        readFile: ConfigurationFile.read
      ).warnings.map(\.text)
    }
    #expect(try warnings(after: 19) == [])
    let expired = try warnings(after: 21)
    #expect(expired.count == 1)
    #expect(expired[0].hasPrefix("the certificate /CN=server has expired on 20"), "\(expired)")
    #expect(try warnings(after: -1).first?.contains("is not valid before 20") == true)
  }

  @Test(
    arguments: [(0o600, false), (0o640, false), (0o660, true), (0o644, true), (0o604, true), (0o400, false)]
      as [(mode_t, Bool)])
  func `a key that others can read is told`(mode: mode_t, isTold: Bool) throws {
    let directory = try TemporaryDirectory()
    let key = try directory.write(fixture.bytes("server.key"), to: "key.pem", mode: mode)
    let loaded = try TLSIdentity.load(.init(certificate: fixture.path("server.pem"), key: key))
    #expect(loaded.warnings.map(\.place) == (isTold ? [.key] : []))
  }

  @Test func `other contents have another digest, the same have the same`() throws {
    func digest(_ certificate: String, _ key: String, ca: String? = nil) throws -> [UInt8] {
      try TLSIdentity.load(settings(certificate, key, ca: ca)).context.digest
    }
    let first = try digest("server.pem", "server.key")
    #expect(try digest("server.pem", "server.key") == first)
    for other in [
      try digest("chain.pem", "server.key"), try digest("other.pem", "other.key"),
      try digest("server.pem", "server.key", ca: "ca.pem"),
    ] { #expect(other != first) }
  }
}
