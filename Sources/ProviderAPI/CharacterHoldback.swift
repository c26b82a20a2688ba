/// The beginnings of characters whose rest is still to come, one for each text of an answer (PRV-R007).
///
/// A text is told by its event kind and index. Nearly always nothing is held; at most three bytes for each text.
struct CharacterHoldback {
  private struct Held {
    var kind: UInt32
    var index: UInt32
    var bytes: [UInt8]
  }

  private var held: [Held] = []

  var isEmpty: Bool { held.isEmpty }

  /// Sends `piece`, joined with what was held of its text, up to the last whole character, and holds the rest.
  mutating func join(
    _ kind: UInt32, _ index: UInt32, _ piece: UnsafeRawBufferPointer, _ send: (UnsafeRawBufferPointer) -> Int32
  ) -> Int32 {
    guard let position = held.firstIndex(where: { $0.kind == kind && $0.index == index }) else {
      return send(hold(kind, index, endOf: piece))
    }
    let joined = held.remove(at: position).bytes + piece
    return joined.withUnsafeBytes { send(hold(kind, index, endOf: $0)) }
  }

  /// The whole characters of `piece`, after what follows them was put aside.
  private mutating func hold(_ kind: UInt32, _ index: UInt32, endOf piece: UnsafeRawBufferPointer)
    -> UnsafeRawBufferPointer
  {
    let whole = piece.count - Self.incompleteBytes(atEndOf: piece)
    if whole < piece.count { held.append(Held(kind: kind, index: index, bytes: [UInt8](piece[whole...]))) }
    return UnsafeRawBufferPointer(rebasing: piece[..<whole])
  }

  /// Names every text that ends inside a character, and forgets it.
  mutating func flush(_ body: (_ kind: UInt32, _ index: UInt32) -> Void) {
    for text in held { body(text.kind, text.index) }
    held = []
  }

  /// The bytes at the end that begin a character but do not complete it: 0 to 3 (RFC 3629 §3).
  static func incompleteBytes(atEndOf bytes: UnsafeRawBufferPointer) -> Int {
    var length = 0
    while length < min(3, bytes.count) {
      length += 1
      let byte = bytes[bytes.count - length]
      if byte & 0xC0 == 0x80 { continue }
      let needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length < needed ? length : 0
    }
    return 0
  }
}
