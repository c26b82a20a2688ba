/// How often somebody may try what is answered with a no: so many attempts in a window of time, by address.
///
/// An attempt counts until its window is over, or one succeeds. The table is bounded: when it is full of windows that
/// last, addresses that are not in it are turned away.
package struct AttemptGuard: Sendable {
  private struct Window: Sendable {
    var until: Instant
    var attempts: Int
  }

  package static let addressesLimit = 1_024

  private let limit: Int
  private let windowNanoseconds: UInt64
  private var windows: [Census.Address?: Window] = [:]

  /// - Parameters:
  ///   - limit: of attempts in one window; at least 1.
  ///   - windowNanoseconds: from the first attempt on.
  package init(limit: Int, windowNanoseconds: UInt64) {
    self.limit = limit
    self.windowNanoseconds = windowNanoseconds
  }

  /// Counts an attempt. nil: it may be made; else the nanoseconds until one may.
  ///
  /// - Parameter address: nil: it has none; all of those are one.
  package mutating func take(_ address: Census.Address?, now: Instant) -> UInt64? {
    if let window = windows[address], window.until > now {
      guard window.attempts < limit else { return window.until.nanoseconds(since: now) }
      windows[address]?.attempts += 1
      return nil
    }
    if windows.count >= Self.addressesLimit { windows = windows.filter { $0.value.until > now } }
    guard windows.count < Self.addressesLimit || windows[address] != nil else { return windowNanoseconds }
    windows[address] = Window(until: now.advanced(nanoseconds: windowNanoseconds), attempts: 1)
    return nil
  }

  /// An attempt has succeeded: those before it are forgotten.
  package mutating func succeeded(_ address: Census.Address?) { windows[address] = nil }
}
