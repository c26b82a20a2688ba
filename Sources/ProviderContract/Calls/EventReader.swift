internal import Bytes
package import CProviderABI

/// A prv_event as it was read and checked.
package enum EventReading {
  case event(ProviderEvent)
  /// A kind that this host does not know: to be counted and ignored.
  case unknown
  case broken(EventFault)
}

/// What is wrong with a prv_event.
package enum EventFault: Sendable, Equatable {
  package enum Field: Sendable { case text, id, name }

  /// `size` covers no kind and index.
  case short(bytes: UInt32)
  case noText(Field)
  case longText(Field, bytes: UInt64)
  /// `offset` is that of the first character that is not whole.
  case notUTF8(Field, offset: Int, bytes: Int)
  case noUsage

  package var rule: Rule {
    switch self {
    case .short: .structHead
    case .noText, .longText, .noUsage: .text
    case .notUTF8: .wholeUTF8
    }
  }

  package func breach(of call: prv_call) -> Breach {
    let words: (expected: String, found: String)
    switch self {
    case .short(let bytes): words = ("a prv_event.size that covers kind and index", "\(bytes)")
    case .noText(let field): words = ("a prv_event.\(field) with a pointer", "a length without one")
    case .longText(let field, let bytes):
      words = ("a prv_event.\(field) of at most \(EventReader.textBytesLimit) bytes", "\(bytes)")
    case .notUTF8(let field, let offset, let bytes):
      words = ("a prv_event.\(field) that is UTF-8 by itself", "\(bytes) bytes that are not, from byte \(offset) on")
    case .noUsage: words = ("a usage event with prv_event.usage", "a null one")
    }
    return Breach(rule, at: .emit, handle: call, expected: words.expected, found: words.found)
  }
}

/// Reads a prv_event.
package enum EventReader {
  /// Bytes of one text of an event.
  package static let textBytesLimit = 16 << 20

  @usableFromInline static let fullBytes = UInt32(MemoryLayout<prv_event>.size)
  @usableFromInline static let headBytes = UInt32(MemoryLayout<prv_event>.offset(of: \.text)!)

  @inline(__always)
  package static func read(_ source: UnsafePointer<prv_event>) -> EventReading {
    let size = source.pointee.size
    if size >= fullBytes { return check(source.pointee) }
    guard size >= headBytes else { return .broken(.short(bytes: size)) }
    return check(copyHead(source, size: size, over: prv_event()))
  }

  private static func check(_ event: prv_event) -> EventReading {
    guard let kind = ProviderEvent.Kind(rawValue: event.kind) else { return .unknown }
    guard let text = event.text.bytes(), let id = event.id.bytes(), let name = event.name.bytes(),
      isUTF8(text), isUTF8(id), isUTF8(name)
    else { return .broken(fault(in: event)) }
    var result = ProviderEvent(kind: kind, index: event.index, text: text, id: id, name: name)
    guard kind == .usage else { return .event(result) }
    guard let usage = event.usage else { return .broken(.noUsage) }
    let tokens = copyHead(usage, size: usage.pointee.size, over: prv_usage())
    result.usage = TokenUsage(
      inputTokens: tokens.input_tokens, outputTokens: tokens.output_tokens,
      cachedInputTokens: tokens.cached_input_tokens, reasoningTokens: tokens.reasoning_tokens)
    return .event(result)
  }

  /// The first text that is not as it must be; the caller knows that there is one.
  private static func fault(in event: prv_event) -> EventFault {
    for (field, text) in [(EventFault.Field.text, event.text), (.id, event.id), (.name, event.name)] {
      guard let bytes = text.bytes() else {
        return text.ptr == nil ? .noText(field) : .longText(field, bytes: text.len)
      }
      if !isUTF8(bytes) { return .notUTF8(field, offset: wholePrefix(bytes), bytes: bytes.count) }
    }
    preconditionFailure("no text of the event is at fault")
  }

  /// How many bytes from the start are whole characters.
  private static func wholePrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
    var low = 0
    var validator = UTF8Validator()
    for offset in 0..<bytes.count {
      guard validator.validate(UnsafeRawBufferPointer(rebasing: bytes[offset...offset])) else { break }
      if validator.isComplete { low = offset + 1 }
    }
    return low
  }

  @inline(__always)
  private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count == 0 || UTF8Validator.isValid(bytes)
  }
}
