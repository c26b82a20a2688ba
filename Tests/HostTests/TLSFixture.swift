import CLinux
import Glibc
import Testing

@testable import Host

/// Certificates of an authority that lives as long as the test process, made by the `openssl` command.
struct TLSFixture: Sendable {
  private let directory: TemporaryDirectory

  static let shared = Result { try TLSFixture() }

  var folder: String { directory.path }
  func path(_ name: String) -> String { "\(directory.path)/\(name)" }
  func bytes(_ name: String) throws -> [UInt8] { try directory.read(name) }

  /// The server's files, as a listener names them.
  var settings: Configuration.TLS { .init(certificate: path("server.pem"), key: path("server.key")) }

  private init() throws {
    directory = try TemporaryDirectory()
    let script = """
      cd \(directory.path) || exit 1
      exec 2>/dev/null >/dev/null
      umask 077
      curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256"
      authority() {
        openssl req -x509 $curve -nodes -days 30 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" \
          -addext basicConstraints=critical,CA:TRUE || exit 1
      }
      signed() {
        openssl req -new $3 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" || exit 1
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' > "$1.ext"
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 20 -extfile "$1.ext" \
          -out "$1.pem" || exit 1
      }
      authority ca
      authority stranger
      signed server ca "$curve"
      signed other ca "$curve"
      signed rsa ca "-newkey rsa:2048"
      signed short ca "-newkey rsa:1024"
      signed client ca "$curve"
      signed intruder stranger "$curve"
      openssl ec -in server.key -aes128 -passout pass:x -out encrypted.key || exit 1
      head -c 200 server.pem > cut.pem
      head -c 120 server.key > cut.key
      cat ca.pem server.pem > reversed.pem
      cat server.pem ca.pem > chain.pem
      echo nothing > nothing.pem
      """
    try #require(PluginFixture.run("/bin/sh", ["-c", script]) == 0, "openssl could not make the certificates")
  }
}

/// The client's end of a TLS connection on a non-blocking socket.
final class TLSPeer {
  let library: OpenSSL
  let connection: OpenSSL.Handle
  private let context: OpenSSL.Handle

  init(_ descriptor: Int32, offers protocols: [String] = []) throws {
    // A host has SIGPIPE off; OpenSSL writes without MSG_NOSIGNAL.
    signal(SIGPIPE, SIG_IGN)
    library = try OpenSSL.load()
    context = try #require(library.contextNew(library.clientMethod()))
    let modes = CLINUX_SSL_MODE_ENABLE_PARTIAL_WRITE | CLINUX_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    _ = library.contextControl(context, Int32(CLINUX_SSL_CTRL_MODE), Int(modes), nil)
    connection = try #require(library.connectionNew(context))
    _ = library.connectionSetDescriptor(connection, descriptor)
    let list = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    if !list.isEmpty { _ = library.connectionSetALPN(connection, list, UInt32(list.count)) }
    library.connectionConnect(connection)
  }

  deinit {
    library.connectionFree(connection)
    library.contextFree(context)
  }

  /// Whether the handshake is done.
  func shake() -> Bool {
    library.errorClear()
    return library.handshake(connection) == 1
  }

  /// What `SSL_get_error` says of the last call that gave `status`.
  func kind(_ status: Int32) -> Int32 { library.resultKind(connection, status) }

  /// What has come, at most `limit` bytes; nil: nothing now, or no more.
  func read(_ limit: Int = 1 << 16) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: limit)
    library.errorClear()
    let count = library.read(connection, &bytes, Int32(limit))
    lastKind = count > 0 ? 0 : kind(count)
    return count > 0 ? Array(bytes[..<Int(count)]) : nil
  }
  private(set) var lastKind: Int32 = 0

  /// How many of `bytes` the socket took.
  func write(_ bytes: ArraySlice<UInt8>) -> Int {
    library.errorClear()
    return bytes.withUnsafeBytes { max(0, Int(library.write(connection, $0.baseAddress, Int32($0.count)))) }
  }

  /// The protocol that the server chose.
  var chosen: String {
    var name: OpenSSL.Bytes?
    var count: UInt32 = 0
    library.connectionALPN(connection, &name, &count)
    return String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
  }
}
