import Synchronization

/// What operators ask of the host through the page, for the control thread to do in turn.
///
/// | state  | `put`              | `takeAll`     | leaves by                     |
/// |--------|--------------------|---------------|-------------------------------|
/// | closed | false              | nothing       | `open`                        |
/// | open   | taken, up to eight | what was taken | `close`: all are told why not |
///
/// Thread: any. The mutex guards the requests; nothing is called while it is held.
final class ActionQueue: Sendable {
  enum Action: Sendable, Equatable {
    /// What SIGTERM does.
    case drain
    case reload
    /// Lets a provider's plugin run again.
    case unquarantine(provider: String)

    var name: String {
      switch self {
      case .drain: "drain"
      case .reload: "reload"
      case .unquarantine: "unquarantine"
      }
    }
  }

  struct Request: Sendable {
    var action: Action
    /// Called once, on the control thread.
    var reply: @Sendable (ReloadReport) -> Void
  }

  static let limit = 8

  private struct State {
    var requests: [Request] = []
    /// nil: closed.
    var wake: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  /// - Parameter wake: makes the control thread call `takeAll` soon.
  func open(wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

  /// false: the host stops, or has too much to do; nothing is replied.
  func put(_ request: Request) -> Bool {
    let wake = state.withLock { state -> (@Sendable () -> Void)? in
      guard let wake = state.wake, state.requests.count < Self.limit else { return nil }
      state.requests.append(request)
      return wake
    }
    wake?()
    return wake != nil
  }

  func takeAll() -> [Request] {
    state.withLock { state in
      defer { state.requests = [] }
      return state.requests
    }
  }

  /// The host stops: nothing more is taken.
  func close() {
    let left = state.withLock { state in
      defer { state = State() }
      return state.requests
    }
    for request in left {
      request.reply(ReloadReport(isApplied: false, lines: ["the host is shutting down"]))
    }
  }
}
