import Bytes
import CProviderABI

/// The host as an instance sees it: log, clocks, settings. Everything may be called from any thread, until the
/// instance is gone.
///
/// Unchecked because of C pointers: every field is constant, and the host's functions take any thread.
public final class ProviderHost: @unchecked Sendable {
  let context: UnsafeMutableRawPointer?
  let emit: EmitFunction
  let done: DoneFunction
  let log: prv_log_v1
  let time: prv_time_v1
  let exec: prv_exec_v1
  let http: prv_http_v1?
  private let config: prv_config_v1

  /// For log lines: `patchbay 1.0.0`. Decide nothing by it.
  public let name: String

  typealias EmitFunction = @convention(c) (UnsafeMutableRawPointer?, prv_call, UnsafePointer<prv_event>?) -> Int32
  typealias DoneFunction = @convention(c) (UnsafeMutableRawPointer?, prv_call, UnsafePointer<prv_done>?) -> Int32

  /// Takes what is needed out of the host's tables.
  ///
  /// - Parameter required: what the provider's descriptor says it cannot do without.
  /// - Throws: `.incompatible` naming the function or service that the host lacks.
  init(_ pointer: UnsafePointer<prv_host>, requiring required: [String] = []) throws(ProviderError) {
    let host = prv_host(copying: pointer)
    guard let emit = host.emit, let done = host.done, let getService = host.get_service else {
      throw ProviderError(.incompatible, "the host offers no emit, done or get_service; expected all three")
    }
    func service<Table>(_ id: StaticString, _ table: (UnsafeRawPointer) -> Table) throws(ProviderError) -> Table {
      guard let found = getService(host.ctx, prv_str(id)) else {
        throw ProviderError(.incompatible, "the host offers no service \(id), which every provider needs")
      }
      return table(found)
    }
    for id in required {
      var text = id
      guard text.withUTF8({ getService(host.ctx, prv_str(UnsafeRawBufferPointer($0))) }) != nil else {
        throw ProviderError(.incompatible, "the host offers no service \(id), which this provider requires")
      }
    }
    context = host.ctx
    self.emit = emit
    self.done = done
    name = "\(host.name.string) \(host.version.string)"
    log = try service("prv.log/1") { prv_log_v1(copying: $0) }
    time = try service("prv.time/1") { prv_time_v1(copying: $0) }
    exec = try service("prv.exec/1") { prv_exec_v1(copying: $0) }
    config = try service("prv.config/1") { prv_config_v1(copying: $0) }
    http = getService(host.ctx, prv_str("prv.http/1" as StaticString)).map { prv_http_v1(copying: $0) }
  }

  /// Whether the host can reach the network for its providers.
  public var offersHTTP: Bool { http?.request != nil }

  // MARK: - Clocks

  /// CLOCK_MONOTONIC nanoseconds; in a test, whatever the test says.
  public var nowNanoseconds: UInt64 { time.now_mono_ns?(context) ?? 0 }

  /// Nanoseconds since 1970.
  public var unixNanoseconds: UInt64 { time.now_unix_ns?(context) ?? 0 }

  // MARK: - Log

  public enum LogLevel: Int32, Sendable {
    case debug = 10
    case info = 20
    case warning = 30
    case error = 40
  }

  /// Whether a line of this level would be written: ask before preparing costly fields.
  public func logs(_ level: LogLevel) -> Bool { log.enabled?(context, level.rawValue) == 1 }

  /// Writes one line: constant text, and what varies as fields. No key, no prompt.
  public func log(_ level: LogLevel, _ message: StaticString, _ fields: KeyValuePairs<String, String> = [:]) {
    write(call: 0, level, message, fields)
  }

  func write(call: prv_call, _ level: LogLevel, _ message: StaticString, _ fields: KeyValuePairs<String, String>) {
    guard let write = log.write, logs(level) else { return }
    withCPairs(fields.lazy.map { ($0.key, $0.value) }, prv_field.init(name:value:)) { fields in
      write(context, call, level.rawValue, prv_str(message), fields.baseAddress, UInt64(fields.count))
    }
  }

  // MARK: - Settings

  /// The value at `path` (`base_url`, `models.0`) of this provider's settings as JSON, as they are now; nil: absent.
  public func setting(_ path: String) -> String? {
    guard let get = config.get else { return nil }
    var path = path
    return path.withUTF8 { path in
      collectText { sink in get(context, prv_str(path), sink) == PRV_OK }
    }
  }
}
