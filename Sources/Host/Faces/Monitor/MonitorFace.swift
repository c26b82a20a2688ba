import JSON
import Wire

/// What a listener answers that serves `monitor`, the page's own files apart (docs/monitor.md).
enum MonitorFace {
  private static let requests = "/requests/"

  /// nil: nothing is served at this path.
  static func route(at path: String) -> Route? {
    switch path {
    case "/events": Route(answer: watch)
    case "/login": Route(methods: ["POST"], access: .open, answer: LoginForms.login)
    case "/logout": Route(methods: ["POST"], access: .open, answer: LoginForms.logout)
    case "/actions/drain": action { _ in .drain }
    case "/actions/reload": action { _ in .reload }
    case "/actions/unquarantine":
      action { form in
        form["provider"]?.string.map { .unquarantine(provider: $0) }
      }
    case _ where path.hasPrefix(requests): Route(answer: timeline)
    default: nil
    }
  }

  private static func action(_ make: @escaping (JSONValue) -> ActionQueue.Action?) -> Route {
    Route(methods: ["POST"], access: .admin) { head, loop in ActionForms.decide(head, loop, make) }
  }

  private static func watch(_ head: HTTPRequestHead, _ loop: HostLoop) -> HTTPDecision {
    // The router has let it in; the configuration cannot have changed since.
    guard let caller = Caller(head, loop.services) else { return .reply(.error(401, "a viewer or admin is needed")) }
    return .handle(FeedWatcher(caller, loop), bodyBytesLimit: 0)
  }

  private static func timeline(_ head: HTTPRequestHead, _ loop: HostLoop) -> HTTPDecision {
    let name = head.path.dropFirst(requests.count)
    guard !name.isEmpty, let decoded = decoded(name) else {
      return .reply(.error(400, "the path is /requests/ and a call's id, percent-encoded"))
    }
    return .handle(TimelineHandler(decoded, loop), bodyBytesLimit: 0)
  }

  /// Without percent-encoding (RFC 3986 §2.1). nil: malformed, or no UTF-8.
  static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8
    while let byte = rest.popFirst() {
      guard byte == 0x25 else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2)
      guard digits.count == 2, digits.allSatisfy({ $0.isHexDigit }),
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}

extension UInt8 {
  fileprivate var isHexDigit: Bool { (0x30...0x39).contains(self) || (0x41...0x46).contains(self & 0xDF) }
}
