import Bytes
import Decisions
import JSON
import Synchronization

/// What the page is fed from, as far as all loops share it.
///
/// Thread: any.
final class Monitor: Sendable {
  /// Another in each run of the host: a page that reconnects learns so that its host is a new one.
  let instance = String(decoding: SessionID.make().prefix(22), as: UTF8.self)
  let seats = WatcherSeats()
  let providers = ProviderBoard()
  let logins = Logins()
  let actions = ActionQueue()
  private let pace = Mutex(AttemptGuard(limit: 30, windowNanoseconds: 60_000_000_000))
  private let shown: Mutex<ShownConfiguration>
  private let healthSource = Mutex<(@Sendable () -> JSONValue)?>(nil)

  init(_ configuration: Configuration) {
    shown = Mutex(ShownConfiguration(configuration: configuration, loadedAt: WallClock().present, number: 0))
  }

  /// The configuration in force, as it was last loaded.
  var configuration: ShownConfiguration { shown.withLock { $0 } }

  /// nil: another action may be asked for; else the nanoseconds until one may.
  func mayAct(now: Instant) -> UInt64? { pace.withLock { $0.take(nil, now: now) } }

  /// From now on the feed tells what `source` says of the host's health; it is called on loop 0 and must not wait.
  func tellHealth(_ source: @escaping @Sendable () -> JSONValue) { healthSource.withLock { $0 = source } }

  /// The body of `/health`; nil: nobody reports it.
  func health() -> JSONValue? { healthSource.withLock { $0 }.map { $0() } }

  /// Another configuration is in force.
  func show(_ configuration: Configuration) {
    let now = WallClock().present
    shown.withLock {
      $0 = ShownConfiguration(configuration: configuration, loadedAt: now, number: $0.number + 1)
    }
  }
}

struct ShownConfiguration: Sendable {
  var configuration: Configuration
  /// Unix milliseconds.
  var loadedAt: Int64
  /// Counts the loads, so that a change is seen.
  var number: Int
}

/// Places for those who watch, of all loops together.
final class WatcherSeats: Sendable {
  static let limit = 64
  private let taken = Atomic(0)

  var count: Int { taken.load(ordering: .relaxed) }

  /// false: all are taken.
  func take() -> Bool {
    var count = taken.load(ordering: .relaxed)
    while count < Self.limit {
      let result = taken.compareExchange(expected: count, desired: count + 1, ordering: .relaxed)
      if result.exchanged { return true }
      count = result.original
    }
    return false
  }

  func leave() { taken.subtract(1, ordering: .relaxed) }
}
