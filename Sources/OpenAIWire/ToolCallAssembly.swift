import Bytes
import JSON
import ProviderAPI

/// Tells which tool call a delta belongs to, and when its call may be shown: once its name is known.
///
/// Calls are numbered as they are shown. A call of the tool that the provider runs itself is kept instead.
struct ToolCallAssembly {
  /// Calls of one answer; more is an upstream gone wrong.
  static let callLimit = 128
  /// Bytes kept of one call, before its name came or of a tool that is echoed.
  static let keptArgumentBytes = 1 << 20

  private struct Entry {
    var wireIndex: Int64
    var id: String
    var name = ""
    var state = State.unnamed
    /// What came before the name, or all of an echoed call.
    var arguments: [UInt8] = []
  }

  private enum State: Equatable {
    case unnamed
    case shown(Int)
    case echoed
  }

  private let echoedTool: String?
  private var entries: [Entry] = []
  private(set) var shownCount = 0

  init(echoedTool: String?) { self.echoedTool = echoedTool }

  /// The calls of the echoed tool, in their order.
  var echoedCalls: [EchoedCall] {
    entries.filter { $0.state == .echoed }.map {
      EchoedCall(id: $0.id, name: $0.name, arguments: String(decoding: $0.arguments, as: UTF8.self))
    }
  }

  /// Whether a call never said what it calls.
  var hasUnnamedCall: Bool { entries.contains { $0.state == .unnamed } }

  /// Takes one element of `tool_calls` and appends what is to be shown of it.
  mutating func take(_ delta: JSONView, _ events: inout [ChatEvent], _ text: inout ByteBuffer) throws(ProviderError) {
    let position = try entry(for: delta)
    let function = delta["function"]
    if entries[position].name.isEmpty, let name = function?["name"]?.string(), !name.isEmpty {
      entries[position].name = name
      show(position, &events, &text)
    }
    guard let arguments = function?["arguments"], !arguments.isNull else { return }
    let start = text.count
    if arguments.kind == .string {
      arguments.appendString(to: &text)
    } else {
      text.append(arguments.bytes)
    }
    guard text.count > start else { return }
    if case .shown(let index) = entries[position].state {
      events.append(.toolArguments(index, start..<text.count))
      return
    }
    guard text.count - start <= Self.keptArgumentBytes - entries[position].arguments.count else {
      throw ProviderError(.badResponse, "the arguments of a tool call exceed \(Self.keptArgumentBytes) bytes")
    }
    entries[position].arguments += text.readable[start...]
  }

  /// The entry that `delta` continues, or a new one.
  ///
  /// Servers differ: some leave the index out, some give every call the index 0 and a new id and name.
  private mutating func entry(for delta: JSONView) throws(ProviderError) -> Int {
    let id = delta["id"]?.string() ?? ""
    let isNamed = !(delta["function"]?["name"]?.equals("") ?? true)
    let index = delta["index"]?.int()
    let last = entries.lastIndex { index == nil || $0.wireIndex == index }
    if let last {
      let isAnother = !id.isEmpty && isNamed && entries[last].id != id && !entries[last].name.isEmpty
      if !isAnother {
        if entries[last].state == .unnamed, !id.isEmpty { entries[last].id = id }
        return last
      }
    }
    guard entries.count < Self.callLimit else {
      throw ProviderError(.badResponse, "the answer has more than \(Self.callLimit) tool calls")
    }
    entries.append(Entry(wireIndex: index ?? Int64(entries.count), id: id))
    return entries.count - 1
  }

  private mutating func show(_ position: Int, _ events: inout [ChatEvent], _ text: inout ByteBuffer) {
    if entries[position].id.isEmpty { entries[position].id = "call_\(position)" }
    if let echoedTool, entries[position].name == echoedTool {
      entries[position].state = .echoed
      return
    }
    entries[position].state = .shown(shownCount)
    events.append(.toolCall(shownCount, id: entries[position].id, name: entries[position].name))
    if !entries[position].arguments.isEmpty {
      let start = text.count
      text.append(entries[position].arguments)
      events.append(.toolArguments(shownCount, start..<text.count))
      entries[position].arguments = []
    }
    shownCount += 1
  }
}

/// A call of a tool that the provider runs itself.
public struct EchoedCall: Equatable, Sendable {
  public var id: String
  public var name: String
  /// As the model wrote them.
  public var arguments: String
}
