/// Whether history is kept, and what is said of it, as a plain value: what happened in, what to say out.
///
/// | state     | event            | then                                                              |
/// |-----------|------------------|-------------------------------------------------------------------|
/// | starting  | `opened`         | keeping, said                                                     |
/// | starting, keeping | `failed` | failing, said                                                     |
/// | failing   | `failed`         | failing; said again only if it is something else                  |
/// | failing   | `opened`         | failing, until something was written                              |
/// | failing   | `wrote`          | keeping, said                                                     |
/// | keeping   | `wrote`          | keeping                                                           |
/// | any       | `setAside`       | as it is, and not healthy as long as the damaged file lies there  |
struct HistoryStatus: Sendable {
  enum Line: Equatable {
    case kept
    case failing(reason: String, remedy: String)
  }

  private enum State: Equatable { case starting, keeping, failing(HistoryFault) }

  let path: String
  private var state = State.starting
  /// Where damaged files went, the newest last.
  private(set) var aside: [String] = []

  init(path: String) { self.path = path }

  mutating func opened() -> Line? { state == .starting ? kept() : nil }
  mutating func wrote() -> Line? { state == .keeping ? nil : kept() }

  private mutating func kept() -> Line? {
    state = .keeping
    return .kept
  }

  mutating func failed(_ fault: HistoryFault) -> Line? {
    let previous = state
    state = .failing(fault)
    if case .failing(let before) = previous, before.message == fault.message { return nil }
    return .failing(reason: fault.message, remedy: fault.remedy(path: path))
  }

  mutating func setAside(_ file: String) { aside.append(file) }

  /// Files that are gone need no attention any more.
  mutating func forgetAside(where isGone: (String) -> Bool) { aside.removeAll(where: isGone) }

  var report: (isHealthy: Bool, message: String, remedy: String) {
    switch state {
    case .starting: return (true, "the history at \(path) is being opened", "")
    case .failing(let fault): return (false, fault.message, fault.remedy(path: path))
    case .keeping:
      guard let file = aside.last else { return (true, "history is kept at \(path)", "") }
      return (
        false, "the history was damaged and begins anew; the damaged file was set aside as \(file)",
        "look at \(file), then move it away or delete it"
      )
    }
  }
}
