import Testing

@testable import Host

struct ConfigurationTLSTests {
  private let files: [String: String]

  init() throws {
    let fixture = try TLSFixture.shared.get()
    var files: [String: String] = [:]
    for name in ["server.pem", "server.key", "other.pem", "other.key", "ca.pem"] {
      files["/etc/patchbay/\(name)"] = String(decoding: try fixture.bytes(name), as: UTF8.self)
    }
    self.files = files
  }

  private func listener(_ tls: String, address: String = "127.0.0.1:1") -> String {
    "{ address: '\(address)',\n tls: {\n \(tls) } }"
  }

  private func configuration(_ listeners: String...) throws -> Configuration {
    try ConfigurationReading.parse("{ listeners: [\(listeners.joined(separator: ","))] }", files: files)
  }

  private let server = "certificate: 'server.pem',\n key: 'server.key'"

  @Test func `relative paths stand beside the file, and clients are not asked by default`() throws {
    let tls = try #require(try configuration(listener(server)).listeners[0].tls)
    #expect(tls == .init(certificate: "/etc/patchbay/server.pem", key: "/etc/patchbay/server.key"))
    #expect(tls.clientCertificates == .off && tls.clientCA == nil)
  }

  @Test(
    arguments: [
      ("certificate: 'server.pem', key: 'other.key'", "listeners[0].tls.key", "found a key in"),
      ("certificate: 'server.pem'", "listeners[0].tls.key", "found nothing"),
      ("certificate: 'absent.pem', key: 'server.key'", "listeners[0].tls.certificate", "found no file"),
      (
        "certificate: 'server.pem', key: 'server.key', client_certificates: 'required'", "listeners[0].tls.client_ca",
        "found nothing with client_certificates \"required\""
      ),
      (
        "certificate: 'server.pem', key: 'server.key', client_ca: 'ca.pem'", "listeners[0].tls.client_certificates",
        "found \"off\" with client_ca"
      ),
    ])
  func `what does not go together is a fault with its line`(tls: String, path: String, found: String) {
    let errors = ConfigurationReading.errors("{ listeners: [\(listener(tls))] }", files: files)
    #expect(errors.map(\.path) == [path])
    #expect(errors.first?.message.hasPrefix(found) == true, "\(errors)")
    #expect(errors.first?.line == 3 || errors.first?.line == 2)
  }

  @Test func `other certificates are taken by a running host, while TLS for a plain listener needs a restart`() throws {
    let running = try configuration(listener(server))
    let other = try configuration(listener("certificate: 'other.pem', key: 'other.key'"))
    let plain = try configuration("{ address: '127.0.0.1:1' }")
    let moved = try configuration(listener("certificate: 'other.pem', key: 'other.key'", address: "127.0.0.1:2"))
    #expect(running.changes(to: other).allSatisfy { !$0.needsRestart })
    #expect(running.changes(to: other).count == 2)
    #expect(other.keepingFixed(of: running) == other)
    for wanted in [plain, moved] {
      #expect(running.changes(to: wanted).allSatisfy { $0.needsRestart })
      #expect(wanted.keepingFixed(of: running).listeners == running.listeners)
    }
    #expect(plain.changes(to: running).allSatisfy { $0.needsRestart })
  }
}
