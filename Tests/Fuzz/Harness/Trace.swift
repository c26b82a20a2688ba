import Bytes

/// What happened in one run over an input, to be compared with what happened in another. Reused between inputs.
struct Trace: ~Copyable {
  private(set) var bytes = ByteBuffer()

  mutating func clear() { bytes.removeAll(keeping: 1 << 20) }

  /// Notes that something of this kind happened, with what belonged to it.
  mutating func note(_ kind: UInt8, _ payload: UnsafeRawBufferPointer) {
    note(kind, payload.count)
    bytes.append(payload)
  }

  mutating func note(_ kind: UInt8, _ text: String) {
    var text = text
    text.withUTF8 { note(kind, UnsafeRawBufferPointer($0)) }
  }

  mutating func note(_ kind: UInt8, _ number: Int) {
    bytes.append(kind)
    withUnsafeBytes(of: number) { bytes.append($0) }
  }

  /// Appends to what the last note has, where pieces do not matter.
  mutating func extend(_ piece: UnsafeRawBufferPointer) { bytes.append(piece) }

  /// Forgets what came after the first `count` bytes.
  mutating func cut(to count: Int) { bytes.truncate(to: count) }

  func equals(_ other: borrowing Trace) -> Bool { bytes.readable.elementsEqual(other.bytes.readable) }

  var text: String { shown(bytes.readable) }
}
