import JSON

/// What becomes of a connection's first message (docs/protocol.md, "hello").
enum NativeHello: Equatable {
  /// nil: nobody needs a token here.
  case welcome(Principals.Principal?)
  /// The word of the refusal, and the close frame that follows it.
  case refused(Refusal)

  enum Refusal {
    case invalid, missing, unauthorized, sessionLimit, principalSessionLimit

    /// As the `hello_ack` says it.
    var word: String {
      switch self {
      case .invalid: "invalid_hello"
      case .missing: "missing_hello"
      case .unauthorized: "unauthorized"
      case .sessionLimit, .principalSessionLimit: "session_limit"
      }
    }

    var closeCode: UInt16 {
      switch self {
      case .invalid: 4000
      case .missing: 4001
      case .unauthorized: 4003
      case .sessionLimit, .principalSessionLimit: 1008
      }
    }

    var reason: String {
      switch self {
      case .invalid: "the first frame must be a JSON object"
      case .missing: "the first frame must have op hello"
      case .unauthorized: "unauthorized"
      case .sessionLimit: "limits.sessions reached"
      case .principalSessionLimit: "the principal's limits.sessions reached"
      }
    }
  }

  /// Decides about a text message, whose UTF-8 was checked.
  ///
  /// - Parameter known: who has shown a token with the upgrade already, and needs none here.
  init(_ bytes: UnsafeRawBufferPointer, principals: Principals, known: Principals.Principal? = nil) {
    guard let message = try? JSONView(parsing: bytes, checksUTF8: false), message.kind == .object else {
      self = .refused(.invalid)
      return
    }
    let fields = NativeMessage(message)
    guard let op = fields.op, op.equals("hello") else {
      self = .refused(.missing)
      return
    }
    if principals.isOpen {
      // A token that nobody asked for may be anything a token can be.
      let isPlausible = fields.token.map { $0.kind == .string || $0.isNull } ?? true
      self = isPlausible ? .welcome(nil) : .refused(.unauthorized)
    } else if let principal = Self.principal(fields.token, principals, known), principal.role != .viewer {
      self = .welcome(principal)
    } else {
      self = .refused(.unauthorized)
    }
  }

  /// Whose token it is. One that is there must be right, also from who was known before.
  private static func principal(_ token: JSONView?, _ principals: Principals, _ known: Principals.Principal?)
    -> Principals.Principal?
  {
    if let known, token.map(\.isNull) ?? true { return principals.knows(known) ? known : nil }
    guard let token = token?.string(), let found = principals.principal(withToken: token) else { return nil }
    return known == nil || known == found ? found : nil
  }
}
