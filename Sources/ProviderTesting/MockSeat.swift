import CProviderABI
import JSON
import ProviderContract
import Synchronization

/// What a plugin's instance holds as its prv_host: outlives host and instance, because a plugin that breaks R014 comes
/// later than both.
///
/// `@unchecked Sendable`: `host` is weak, the rest is behind the host's monitor.
final class MockSeat: @unchecked Sendable {
  private static let all = Mutex<[MockSeat]>([])

  private(set) weak var host: MockHost?
  let table = UnsafeMutablePointer<prv_host>.allocate(capacity: 1)
  /// JSON. Bytes, as whoever looks for leaks must find what this holds, and Swift hides the pointers of strings and enums.
  private let settings: [UInt8]
  /// `destroy` was called.
  var isDestroyed = false

  init(host: MockHost, settings: String) {
    self.host = host
    self.settings = Array(settings.utf8)
    table.initialize(to: MockTables.host)
    table.pointee.ctx = Unmanaged.passUnretained(self).toOpaque()
    // Kept for good, and findable by whoever looks for leaks.
    Self.all.withLock { $0.append(self) }
  }

  /// Carries out a function that the plugin called with `context`, alone on the host. `refused` is the answer when host or
  /// instance are gone.
  static func serve<Result>(
    _ context: UnsafeMutableRawPointer?, _ function: ABIFunction, _ handle: UInt64 = 0, or refused: Result,
    _ body: (MockHost, MockSeat) -> Result
  ) -> Result {
    guard let context else { preconditionFailure("\(function) was called without the table's ctx (PRV-C1)") }
    let seat = Unmanaged<MockSeat>.fromOpaque(context).takeUnretainedValue()
    guard let host = seat.host else { return refused }
    host.onCrossing?(function, handle)
    return host.monitor.locked {
      host.trail.record(function, handle: handle, nanoseconds: host.nowNanoseconds)
      host.noteThread()
      guard !seat.isDestroyed else {
        host.note(
          Breach(
            .silentAfterDestroy, at: function, handle: handle, expected: "no host function after destroy", found: "one")
        )
        return refused
      }
      defer { host.monitor.signal() }
      return body(host, seat)
    }
  }

  /// The value at `path` of the settings, as JSON; nil: there is none.
  func setting(at path: String) -> String? {
    var value = try? JSONValue(parsing: String(decoding: settings, as: UTF8.self))
    for word in path.split(separator: ".") {
      if let items = value?.array {
        guard let index = Int(word), items.indices.contains(index) else { return nil }
        value = items[index]
      } else {
        value = value?[String(word)]
      }
    }
    return value?.text
  }
}
