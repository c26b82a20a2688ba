import CProviderABI

/// Collects what a plugin writes into a sink.
final class MockText {
  var bytes: [UInt8] = []

  var string: String { String(decoding: bytes, as: UTF8.self) }

  /// Valid while this object lives.
  var sink: prv_sink {
    prv_sink(
      ctx: Unmanaged.passUnretained(self).toOpaque(),
      write: { context, text in
        guard let context else { return }
        Unmanaged<MockText>.fromOpaque(context).takeUnretainedValue().bytes += text.rawBytes
      })
  }
}

extension prv_str {
  var rawBytes: [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: len == 0 ? nil : ptr.map { UnsafeRawPointer($0) }, count: Int(len)))
  }

  var string: String { String(decoding: rawBytes, as: UTF8.self) }
}

/// Lends `text` as the plugin will see it; the memory is overwritten when `body` returns, so that a plugin that keeps
/// a borrowed pointer reads nonsense (C5).
func lend<Result>(_ text: String, _ body: (prv_str) -> Result) -> Result {
  let memory = UnsafeMutableBufferPointer<CChar>.allocate(capacity: max(text.utf8.count, 1))
  defer {
    memory.update(repeating: 0x5A)
    memory.deallocate()
  }
  for (index, byte) in text.utf8.enumerated() { memory[index] = CChar(bitPattern: byte) }
  return body(prv_str(ptr: memory.baseAddress, len: UInt64(text.utf8.count)))
}
