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
