import Bytes
import JSON
@testable import Host

// What a client's frame of the native protocol meets: NativeHello, NativeMessage, RequestID, ChatArguments and the
// arguments of a plugin's tool, each with the frame that answers it. Options: bit 0 the input is the arguments of a
// chat, bit 1 those of a tool; else it is a whole frame.
//
// Promised: whatever comes, each frame that is sent back and each canonical body is one JSON value, and has in it what
// the client sent and nothing else.

nonisolated(unsafe) private var frame = ByteBuffer()
nonisolated(unsafe) private var body = ByteBuffer()
private let open = Principals([])
private let guarded = Principals([("editor", .client, "client-token-0001"), ("watcher", .viewer, "viewer-token-0001")])
private let editor = guarded.principal(withToken: "client-token-0001")
private let watcher = guarded.principal(withToken: "viewer-token-0001")
private let tool = makeTool()
private let model = ModelEntry(
  id: "m", provider: 0, providerID: "p", capabilities: ["images", "tools", "thinking", "web_search"])

private func makeTool() -> ProviderTool {
  let schema = """
    {"type":"object","additionalProperties":false,"required":["words"],"properties":{"words":{"type":"string",
    "minLength":1,"maxLength":9},"n":{"type":"integer","minimum":-1,"maximum":3},"in":{"enum":[1,"a",null,true]},
    "list":{"type":"array","items":{"type":["number","boolean"]},"maxItems":2},"o":{"type":"object","required":["k"],
    "properties":{"k":{"type":"object"}}},"files":{"type":"array"}}}
    """
  let offer = ToolOffer(
    name: "say", inputSchemaJSON: schema, files: FilesOffer(argument: "files", countLimit: 2, bytesLimit: 12))
  guard let tool = try? ProviderTool(offer, provider: 0, providerID: "p") else { broken("the tool can be made") }
  return tool
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count >= 1 else { return -1 }
  let input = InputMemory.place(start, count)
  let text = UnsafeRawBufferPointer(rebasing: input[1...])
  // What comes from a socket was checked by the decoder.
  guard UTF8Validator.isValid(text) else { return -1 }
  switch input[0] & 3 {
  case 1: if let view = try? JSONView(parsing: text, checksUTF8: false), view.kind == .object { chat(view, nil) }
  case 2: if let view = try? JSONView(parsing: text, checksUTF8: false), view.kind == .object { call(view, nil) }
  default: message(text)
  }
  return 0
}

private func message(_ text: UnsafeRawBufferPointer) {
  hello(text)
  let view: JSONView
  do {
    view = try JSONView(parsing: text, checksUTF8: false)
  } catch {
    let reason = "Invalid JSON: \(error.reason) at byte \(error.offset)"
    return refuse(nil, CallError(.validationError, reason, [("parse_error", .string(error.reason))]))
  }
  guard view.kind == .object else { return refuse(nil, .invalidMessage("message must be a JSON object")) }
  let fields = NativeMessage(view)
  promise("an id that is echoed is in the message", isInside(fields.echoedID, text))
  do throws(CallError) {
    try fields.checkRequestID()
    let id = RequestID(fields.requestID)
    promise("an id is a string with its quotes", id.text.first == 0x22 && id.text.last == 0x22 && id.text.count >= 3)
    let content = RequestID.content(of: id.text)
    promise("two spellings of an id are one", id.key.dropFirst().dropLast().elementsEqual(content.utf8), content)
    _ = id.shown
  } catch {
    refuse(fields.echoedID, error)
  }
  guard let name = fields.name?.string(), !name.isEmpty else {
    return refuse(fields.echoedID, .invalidMessage("call_tool requires 'name' (non-empty string)"))
  }
  guard let arguments = fields.arguments, arguments.kind == .object else {
    return refuse(fields.echoedID, CallError(.toolNotFound, "Unknown tool: \(CallError.shortened(name))"))
  }
  if name == "say" { call(arguments, fields.echoedID) } else { chat(arguments, fields.echoedID) }
}

private func hello(_ text: UnsafeRawBufferPointer) {
  for (principals, known) in [(open, nil), (guarded, nil), (guarded, editor), (guarded, watcher)] {
    switch NativeHello(text, principals: principals, known: known) {
    case .welcome(let principal):
      promise("who is let in is known, or nobody need be", (principal == nil) == (principals === open))
      promise("who was known stays the same", known == nil || known == principal)
      promise("a viewer may not call", principal?.role != .viewer)
    case .refused(let refusal):
      promise("a close code is the protocol's own", (4000...4003).contains(refusal.closeCode))
      frame.removeAll()
      NativeFrames.helloRefused(refusal.word, to: &frame)
      promise("a refused hello is JSON", isObject(frame.readable))
    }
  }
}

private func chat(_ view: JSONView, _ id: UnsafeRawBufferPointer?) {
  let arguments: ChatArguments
  do throws(CallError) {
    arguments = try ChatArguments(view)
    try arguments.check(temperatureMax: 2, model)
  } catch {
    return refuse(id, error)
  }
  body.removeAll()
  arguments.writeBody(to: &body)
  guard let canonical = try? JSONView(parsing: body.readable) else {
    broken("a canonical body is JSON", shown(body.readable))
  }
  guard let messages = canonical["messages" as StaticString], messages[0] != nil else {
    broken("a canonical body has messages", shown(body.readable))
  }
  var count = arguments.system == nil ? 0 : 1
  count += arguments.messages.map { $0.elements().reduce(0) { count, _ in count + 1 } } ?? 1
  let found = messages.elements().reduce(0) { count, _ in count + 1 }
  promise("each message goes in, and no other", found == count, shown(body.readable))
  for message in messages.elements() {
    promise("a message has a role", message["role" as StaticString]?.kind == .string)
  }
  let known: Set = ["messages", "temperature", "max_tokens", "tools", "tool_choice", "patchbay"]
  for (key, _) in canonical.members() {
    promise("a canonical body has no other member", known.contains(key.string() ?? ""))
  }
  promise("a temperature is kept", canonical["temperature" as StaticString]?.double() == arguments.temperature)
  promise("a count of tokens is kept", canonical["max_tokens" as StaticString]?.int() == arguments.maximumTokens)
  if let timeout = arguments.timeoutNanoseconds {
    promise("a timeout is within its bounds", (100_000_000...3_600_000_000_000).contains(timeout), "\(timeout)")
  }
}

private func call(_ view: JSONView, _ id: UnsafeRawBufferPointer?) {
  do throws(CallError) {
    let arguments = try ToolArguments(view, of: tool, fileBytes: 100)
    body.removeAll()
    arguments.writeBody(to: &body)
    promise("a tool's body is JSON", isObject(body.readable), shown(body.readable))
    promise("no more files than are offered", arguments.files.count <= 2)
    for file in arguments.files {
      promise("a file keeps its bounds", file.content.count <= 12 && (1...255).contains(file.name.count))
      promise("a file's name ends no line and names no folder", !file.name.contains { $0 < 0x20 || $0 == 0x2F })
    }
    let given = try? JSONView(parsing: body.readable)["arguments" as StaticString]
    promise("what is required was given", given?["words" as StaticString]?.kind == .string, shown(body.readable))
    body.removeAll()
    arguments.writeFiles(to: &body)
  } catch {
    refuse(id, error)
  }
}

private func refuse(_ id: UnsafeRawBufferPointer?, _ error: CallError) {
  frame.removeAll()
  NativeFrames.error(id: id, error, to: &frame)
  promise("an error is a JSON object", isObject(frame.readable), shown(frame.readable))
  frame.removeAll()
  NativeFrames.refusal(id: id, error, to: &frame)
  promise("a refusal is a JSON object", isObject(frame.readable), shown(frame.readable))
  promise("a refusal carries no prompt back", frame.count < 8192, "\(frame.count) bytes")
}

private func isObject(_ text: UnsafeRawBufferPointer) -> Bool { (try? JSONView(parsing: text))?.kind == .object }

private func isInside(_ part: UnsafeRawBufferPointer?, _ whole: UnsafeRawBufferPointer) -> Bool {
  guard let part, let start = part.baseAddress, let first = whole.baseAddress else { return true }
  return start >= first && start + part.count <= first + whole.count
}
