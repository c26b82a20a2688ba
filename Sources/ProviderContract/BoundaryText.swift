internal import Bytes
public import CProviderABI

// What crosses the boundary as prv_str, prv_sink and size-first structs (provider_abi.h C1, C4, C5), read with care.

extension prv_str {
  /// The text's bytes; nil when the plugin broke C4: a length without a pointer, or beyond `limit` bytes.
  @inlinable @inline(__always)
  package func bytes(limit: Int = 16 << 20) -> UnsafeRawBufferPointer? {
    guard len != 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    guard let ptr, len <= UInt64(limit) else { return nil }
    return UnsafeRawBufferPointer(start: ptr, count: Int(truncatingIfNeeded: len))
  }

  /// The text, with what is not UTF-8 repaired; nil as in `bytes`.
  package func string(limit: Int = 16 << 20) -> String? {
    bytes(limit: limit).map { String(decoding: $0, as: UTF8.self) }
  }

  /// For messages and logs: cut, repaired, never nil.
  package var excerpt: String {
    guard let ptr, len > 0 else { return "" }
    return String(decoding: UnsafeRawBufferPointer(start: ptr, count: Int(min(len, 4096))), as: UTF8.self)
  }

  @inlinable @inline(__always)
  package init(_ bytes: UnsafeRawBufferPointer) {
    self.init(ptr: bytes.baseAddress?.assumingMemoryBound(to: CChar.self), len: UInt64(bytes.count))
  }

  package init(_ text: StaticString) {
    self.init(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}

/// Copies what `size` says is there of a struct that the other side made; the rest stays as in `zero` (C1).
@inlinable
package func copyHead<Struct>(_ source: UnsafeRawPointer, size: UInt32, over zero: Struct) -> Struct {
  var result = zero
  withUnsafeMutableBytes(of: &result) {
    $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: min(Int(size), $0.count)))
  }
  return result
}

/// Gathers what is written into a prv_sink during one call; what is beyond `limit` bytes is dropped.
package struct SinkText: ~Copyable {
  private var text = ByteBuffer()
  private let limit: Int

  private init(limit: Int) { self.limit = limit }

  /// Calls `body` with a sink and returns its result with the text that was written.
  package static func gather<Result>(limit: Int = 4096, _ body: (prv_sink) -> Result) -> (result: Result, text: String)
  {
    var gathered = SinkText(limit: limit)
    let result = withUnsafeMutablePointer(to: &gathered) { pointer in
      body(
        prv_sink(
          ctx: UnsafeMutableRawPointer(pointer),
          write: { context, text in
            guard let context else { return }
            let gathered = context.assumingMemoryBound(to: SinkText.self)
            gathered.pointee.append(text)
          }))
    }
    return (result, gathered.text.string())
  }

  private mutating func append(_ piece: prv_str) {
    guard let bytes = piece.bytes(limit: .max) else { return }
    text.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(limit - text.count)))
  }
}
