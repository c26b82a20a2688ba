import Bytes
import CProviderABI
public import JSON

/// What a client asks for. Shapes and bounds were checked by the host.
public struct ChatRequest: Sendable {
  let call: Call

  /// The call's clock, network and log.
  public var context: CallContext { CallContext(call: call) }

  /// The model, as the provider names it.
  public var model: String { String(decoding: call.model, as: UTF8.self) }

  /// Whether the client wants pieces as they come; without it the host joins them.
  public var wantsStream: Bool { call.wantsStream }

  /// 1 for the first try.
  public var attempt: Int { Int(call.attempt) }

  /// The request in the OpenAI chat shape (`prv.chat/1` in provider_abi.h). Valid while the chat runs.
  public var body: JSONView { call.body.unsafelyUnwrapped }

  /// The conversation, oldest first.
  public var messages: ChatMessages { ChatMessages(elements: body["messages"]?.elements()) }
}

/// Walks a conversation.
public struct ChatMessages: Sequence, IteratorProtocol {
  var elements: JSONElements?

  public mutating func next() -> ChatMessage? { elements?.next().map { ChatMessage(json: $0) } }
}

/// One message of a request, where it stands.
public struct ChatMessage {
  public enum Role: Sendable {
    case system, user, assistant, tool
  }

  public let json: JSONView
  private let roleText: JSONView?
  private let content: JSONView?

  /// Walks the message once; its content may be long.
  init(json: JSONView) {
    self.json = json
    var (role, content): (JSONView?, JSONView?)
    for (key, value) in json.members() {
      if key.equals("role") {
        role = value
      } else if key.equals("content") {
        content = value
      }
    }
    roleText = role
    self.content = content
  }

  /// nil: a role this version does not know (`developer` reads as system).
  public var role: Role? {
    guard let role = roleText else { return nil }
    if role.equals("user") { return .user }
    if role.equals("assistant") { return .assistant }
    if role.equals("system") || role.equals("developer") { return .system }
    if role.equals("tool") { return .tool }
    return nil
  }

  /// The message's text: its content, or the joined `text` parts of it.
  public var text: String {
    var buffer = ByteBuffer()
    guard let content else { return "" }
    if content.kind == .string { return content.string() ?? "" }
    for part in content.elements() where part["type"]?.equals("text") ?? false {
      part["text"]?.appendString(to: &buffer)
    }
    return buffer.string()
  }
}
