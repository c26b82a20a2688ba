package import CProviderABI

/// Lends `text` as a plugin sees it; the memory is overwritten when `body` returns, so that a plugin which keeps a
/// borrowed pointer reads nonsense (C5).
package func lend<Result>(_ text: String, _ body: (prv_str) -> Result) -> Result { lend(Array(text.utf8), body) }

package func lend<Result>(_ bytes: [UInt8], _ body: (prv_str) -> Result) -> Result {
  let memory = UnsafeMutableBufferPointer<CChar>.allocate(capacity: max(bytes.count, 1))
  defer {
    memory.update(repeating: 0x5A)
    memory.deallocate()
  }
  for (index, byte) in bytes.enumerated() { memory[index] = CChar(bitPattern: byte) }
  return body(prv_str(ptr: memory.baseAddress, len: UInt64(bytes.count)))
}

/// What a plugin writes into a prv_sink, bounded.
package final class GatheredText {
  private static let bytesLimit = 4096
  private var bytes: [UInt8] = []

  package init() {}

  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Valid while this object lives.
  package var sink: prv_sink {
    prv_sink(
      ctx: Unmanaged.passUnretained(self).toOpaque(),
      write: { context, text in
        guard let context, let start = text.ptr else { return }
        let gathered = Unmanaged<GatheredText>.fromOpaque(context).takeUnretainedValue()
        let room = UInt64(GatheredText.bytesLimit - gathered.bytes.count)
        gathered.bytes += UnsafeRawBufferPointer(start: start, count: Int(min(text.len, room)))
      })
  }
}
