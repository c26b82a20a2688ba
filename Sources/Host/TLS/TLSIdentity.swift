import Synchronization

/// How a listener shows itself to new connections; a reload puts another context in its place, and connections that
/// stand keep theirs.
///
/// Thread: any.
final class TLSIdentity: Sendable {
  private let context: Mutex<TLSContext>

  init(_ context: TLSContext) { self.context = Mutex(context) }

  var current: TLSContext { context.withLock { $0 } }
  func replace(with other: TLSContext) { context.withLock { $0 = other } }

  /// Reads the files of `settings`. Thread: one that may wait for a disk.
  static func load(
    _ settings: Configuration.TLS, readFile: (String) -> ConfigurationFile = ConfigurationFile.read
  ) throws(TLSFault) -> (context: TLSContext, warnings: [(place: TLSFault.Place, text: String)]) {
    let library: OpenSSL
    do {
      library = try OpenSSL.load()
    } catch {
      throw .library(error)
    }
    let credentials = try TLSCredentials(settings, library: library, readFile: readFile)
    return (try TLSContext(credentials, settings), credentials.warnings)
  }
}
