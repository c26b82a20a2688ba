import Bytes
import Decisions
import Host
import JSON
import LoadTest

/// What a caller tells the run.
protocol CallerOwner: AnyObject {
  /// An error without a call is a connection that was lost or could not be made.
  func callEnded(_ end: CallEnd, microseconds: UInt64)
  func connectionLost(of caller: Caller, message: String)
  func healthAnswered(_ figures: HostFigures?)
}

/// One connection that makes one call after the other, and comes back when it is lost.
final class Caller: LoadConnectionOwner {
  private enum State {
    /// From `open` to the answered hello.
    case connecting(since: Instant)
    case idle
    case calling(since: Instant)
    /// Waits after an error; connected or, if not, to connect again.
    case pausing(until: Instant)
    case closed
  }

  /// Seconds within which a connection must stand.
  private static let connectSeconds = 10.0
  /// Milliseconds before another try: after an error, and after a lost connection, doubling to the longest.
  private static let errorPauseMilliseconds: UInt64 = 10
  private static let firstBackoffMilliseconds: UInt64 = 100
  private static let longestBackoffMilliseconds: UInt64 = 2_000
  /// The longest `retry_after` that is followed, in seconds.
  private static let longestRetrySeconds = 5.0

  let number: Int
  private let connection: LoadConnection
  private let patienceSeconds: Double
  private unowned let owner: any CallerOwner
  private var state = State.closed
  private var check: CallCheck
  private var backoffMilliseconds = firstBackoffMilliseconds

  init(number: Int, connection: LoadConnection, settings: LoadSettings, owner: any CallerOwner) {
    self.number = number
    self.connection = connection
    self.owner = owner
    patienceSeconds = settings.patienceSeconds
    check = CallCheck(expectation: settings.expectation)
    connection.owner = self
  }

  /// The providers that must answer with the prompt unless the settings say else.
  func expectEcho(of providers: Set<String>) { check.echoProviders = providers }

  var isOpen: Bool { connection.isOpen }
  var isIdle: Bool { if case .idle = state { true } else { false } }

  /// When the call that runs began; nil: none runs.
  var callingSince: Instant? { if case .calling(let since) = state { since } else { nil } }

  func open(now: Instant) {
    state = .connecting(since: now)
    connection.open()
  }

  /// The same with a socket that is connected.
  func open(with connected: Int32, now: Instant) {
    state = .connecting(since: now)
    connection.open(with: connected)
  }

  func ready(_ event: Poller.Event) { connection.ready(event) }

  /// Closes for good; a call that runs is given up without being counted.
  func close() {
    state = .closed
    connection.close()
  }

  /// Sends `request`, which asks for `prompt` under `requestID`.
  func call(_ request: borrowing ByteBuffer, requestID: String, prompt: String, now: Instant) {
    check.begin(requestID: requestID, prompt: prompt)
    state = .calling(since: now)
    connection.send(request.readable)
  }

  /// Asks for the host's health, beside a call that may run.
  func askHealth() {
    var request = ByteBuffer()
    request.append("{\"op\":\"health\"}")
    connection.send(request.readable)
  }

  /// When `advance` has something to do at the latest.
  var nextDeadline: Instant {
    switch state {
    case .connecting(let since): since.advanced(seconds: Self.connectSeconds)
    case .calling(let since): since.advanced(seconds: patienceSeconds)
    case .pausing(let until): until
    case .idle, .closed: .never
    }
  }

  /// Does what is due.
  func advance(now: Instant) {
    guard now >= nextDeadline else { return }
    switch state {
    case .connecting:
      giveUp("connect_failed", "no answer to the hello within \(Self.connectSeconds.text(decimals: 0)) s", now: now)
    case .calling:
      giveUp("no_answer", "no end of the call within \(patienceSeconds.text(decimals: 1)) s", now: now)
    case .pausing where connection.isOpen: state = .idle
    case .pausing: open(now: now)
    case .idle, .closed: break
    }
  }

  private func giveUp(_ code: String, _ message: String, now: Instant) {
    connection.close()
    lost(code, message, now: now)
  }

  private func lost(_ code: String, _ message: String, now: Instant) {
    state = .pausing(until: now.advanced(milliseconds: backoffMilliseconds))
    backoffMilliseconds = min(backoffMilliseconds * 2, Self.longestBackoffMilliseconds)
    owner.callEnded(.error(code: code, message: message, retryAfterSeconds: nil), microseconds: 0)
    owner.connectionLost(of: self, message: message)
  }

  // MARK: - What the connection tells

  func connectionOpened() {
    backoffMilliseconds = Self.firstBackoffMilliseconds
    state = .idle
  }

  func connectionReceived(_ frame: JSONView) {
    if frame["op"]?.equals("health_res") == true {
      return owner.healthAnswered(frame["health"].flatMap { HostFigures(health: JSONValue($0)) })
    }
    guard case .calling(let since) = state, let end = check.take(frame) else { return }
    let now = Instant.now()
    state = .idle
    if case .error(_, _, let retryAfter) = end {
      let pause = retryAfter.map { UInt64(min(max($0, 0), Self.longestRetrySeconds) * 1000) }
      state = .pausing(until: now.advanced(milliseconds: max(pause ?? 0, Self.errorPauseMilliseconds)))
    }
    owner.callEnded(end, microseconds: (now.nanoseconds(since: since) + 999) / 1000)
  }

  func connectionLost(code: String, message: String) {
    if case .closed = state { return }
    lost(code, message, now: .now())
  }
}

extension Instant {
  /// Later by `seconds`, 0 or more; stays at `never` instead of overflowing.
  func advanced(seconds: Double) -> Instant {
    seconds < 1e9 ? advanced(nanoseconds: UInt64(max(0, seconds) * 1e9)) : .never
  }
}
