import Decisions
internal import CProviderABI
internal import ProviderContract
internal import Synchronization

/// Counts the rules that an instance's plugin broke, and writes them to the log: each rule at once, then once a second
/// at most. Thread: any.
final class BreachReport: Sendable {
  /// Between two lines of one rule.
  static let quietNanoseconds: UInt64 = 1_000_000_000

  private struct Record {
    var total = 0
    /// Breaches since the last line.
    var unlogged = 0
    var nextLine = Instant(nanoseconds: 0)
  }

  private let records = Mutex<[Rule: Record]>([:])

  /// Breaches of all rules so far.
  var total: Int { records.withLock { $0.values.reduce(0) { $0 + $1.total } } }

  func count(of rule: Rule) -> Int { records.withLock { $0[rule]?.total ?? 0 } }

  /// Counts a breach of `rule`. When a line is due: how many breaches of it had none since the last.
  func note(_ rule: Rule, now: Instant) -> Int? {
    records.withLock { records in
      var record = records[rule] ?? Record()
      record.total += 1
      defer { records[rule] = record }
      guard record.nextLine <= now else {
        record.unlogged += 1
        return nil
      }
      record.nextLine = now.advanced(nanoseconds: Self.quietNanoseconds)
      defer { record.unlogged = 0 }
      return record.unlogged
    }
  }
}

extension InProcessProvider {
  /// Counts a breach and logs it, with the request it belongs to when that is known. Thread: any.
  func report(_ breach: Breach, requestID: String? = nil, message: String = "plugin broke a rule") {
    guard let unlogged = breaches.note(breach.rule, now: .now()) else { return }
    var line: [LogField] = [("plugin", plugin.description.id), ("provider", information.id)]
    if let requestID { line.append(("request_id", requestID)) }
    line += [
      ("rule", breach.rule.rawValue), ("function", breach.function.description), ("expected", breach.expected),
      ("found", breach.found),
    ]
    if unlogged > 0 { line.append(("unlogged_total", String(unlogged))) }
    log.write(.warning, message, line)
  }

  /// A handle that names no call of this instance, and never did. Thread: any.
  func reportUnknown(_ handle: UInt64, at function: ABIFunction) {
    if isDestroyed { return reportAfterDestroy(function, handle) }
    report(
      Breach(.handles, at: function, handle: handle, expected: "a handle that the host gave out", found: "another"))
  }

  func reportAfterDestroy(_ function: ABIFunction, _ handle: UInt64) {
    report(
      Breach(
        .silentAfterDestroy, at: function, handle: handle, expected: "no host function after destroy", found: "one"))
  }
}

extension CallSlot {
  /// What a function is answered with whose `handle` does not name a call that it may be called for: PRV_E_STALE, and
  /// the breach is reported when it is one. Thread: any.
  @inline(never)
  func refuse(_ function: ABIFunction, _ handle: UInt64) -> Int32 {
    let stage = current.stage(of: handle)
    guard case .breach(let rule) = CallContract.verdict(on: function, in: stage) else { return PRV_E_STALE }
    if provider.isDestroyed {
      provider.reportAfterDestroy(function, handle)
    } else {
      let words = CallContract.words(on: function, in: stage)
      provider.report(
        Breach(rule, at: function, handle: handle, expected: words.expected, found: words.found),
        requestID: stage == .closed ? nil : requestID)
    }
    return PRV_E_STALE
  }

  /// A second event while the first was still being handed over. Thread: any.
  @inline(never)
  func reportConcurrentEmit(_ handle: UInt64) {
    provider.report(
      Breach(
        .serialEvents, at: .emit, handle: handle, expected: "one emit of a call at a time", found: "a second"),
      requestID: requestID)
  }
}
