import JSON

/// What becomes of a connection's first message (docs/protocol.md, "hello").
enum NativeHello: Equatable {
  /// nil: nobody needs a token here.
  case welcome(Principals.Principal?)
  /// The word of the refusal, and the close frame that follows it.
  case refused(Refusal)

  enum Refusal: String {
    case invalid = "invalid_hello"
    case missing = "missing_hello"
    case unauthorized
    case sessionLimit = "session_limit"

    var closeCode: UInt16 {
      switch self {
      case .invalid: 4000
      case .missing: 4001
      case .unauthorized: 4003
      case .sessionLimit: 1008
      }
    }

    var reason: String {
      switch self {
      case .invalid: "the first frame must be a JSON object"
      case .missing: "the first frame must have op hello"
      case .unauthorized: "unauthorized"
      case .sessionLimit: "limits.sessions reached"
      }
    }
  }

  /// Decides about a text message, whose UTF-8 was checked.
  init(_ bytes: UnsafeRawBufferPointer, principals: Principals) {
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
    } else if let token = fields.token?.string(), let known = principals.principal(withToken: token),
      known.role != .viewer
    {
      self = .welcome(known)
    } else {
      self = .refused(.unauthorized)
    }
  }
}
