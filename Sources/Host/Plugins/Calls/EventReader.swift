internal import Bytes
internal import CProviderABI

/// A prv_event as it was read and checked.
enum EventReading {
  case event(ProviderEvent)
  /// A kind that this host does not know: to be counted and ignored.
  case unknown
  /// The plugin broke a rule; the text names it.
  case broken(StaticString)
}

enum EventReader {
  private static let fullBytes = UInt32(MemoryLayout<prv_event>.size)
  private static let headBytes = UInt32(MemoryLayout<prv_event>.offset(of: \.text)!)

  @inline(__always)
  static func read(_ source: UnsafePointer<prv_event>) -> EventReading {
    let size = source.pointee.size
    if size >= fullBytes { return check(source.pointee) }
    guard size >= headBytes else { return .broken("PRV-C1: prv_event.size covers no event") }
    return check(copyHead(source, size: size, over: prv_event()))
  }

  private static func check(_ event: prv_event) -> EventReading {
    guard let kind = ProviderEvent.Kind(rawValue: event.kind) else { return .unknown }
    guard let text = event.text.bytes(), let id = event.id.bytes(), let name = event.name.bytes() else {
      return .broken("PRV-C4: a text of an event is null or longer than 16 MiB")
    }
    guard isUTF8(text), isUTF8(id), isUTF8(name) else {
      return .broken("PRV-R007: a text of an event is not UTF-8 by itself")
    }
    var result = ProviderEvent(kind: kind, index: event.index, text: text, id: id, name: name)
    guard kind == .usage else { return .event(result) }
    guard let usage = event.usage else { return .broken("PRV-C4: a usage event without usage") }
    let tokens = copyHead(usage, size: usage.pointee.size, over: prv_usage())
    result.usage = TokenUsage(
      inputTokens: tokens.input_tokens, outputTokens: tokens.output_tokens,
      cachedInputTokens: tokens.cached_input_tokens, reasoningTokens: tokens.reasoning_tokens)
    return .event(result)
  }

  @inline(__always)
  private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count == 0 || UTF8Validator.isValid(bytes)
  }
}

/// An event that was emitted away from its loop, with its texts.
struct CopiedEvent: Sendable {
  private let kind: ProviderEvent.Kind
  private let index: UInt32
  private let usage: TokenUsage?
  private let texts: [UInt8]
  private let textBytes: Int
  private let idBytes: Int

  init(_ event: ProviderEvent) {
    kind = event.kind
    index = event.index
    usage = event.usage
    textBytes = event.text.count
    idBytes = event.id.count
    var texts: [UInt8] = []
    texts.reserveCapacity(event.text.count + event.id.count + event.name.count)
    texts.append(contentsOf: event.text)
    texts.append(contentsOf: event.id)
    texts.append(contentsOf: event.name)
    self.texts = texts
  }

  /// What the event counts against its call's bounds.
  var bytes: Int { texts.count }

  /// Calls `body` with the event; its buffers are borrowed.
  func with<Result>(_ body: (ProviderEvent) -> Result) -> Result {
    texts.withUnsafeBytes { all in
      let text = UnsafeRawBufferPointer(rebasing: all[..<textBytes])
      let id = UnsafeRawBufferPointer(rebasing: all[textBytes..<textBytes + idBytes])
      let name = UnsafeRawBufferPointer(rebasing: all[(textBytes + idBytes)...])
      return body(ProviderEvent(kind: kind, index: index, text: text, id: id, name: name, usage: usage))
    }
  }
}
