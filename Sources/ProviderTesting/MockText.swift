import CProviderABI
import ProviderContract

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
  /// Nothing when the text cannot be read (C4).
  var rawBytes: [UInt8] { bytes().map { [UInt8]($0) } ?? [] }

  var string: String { String(decoding: rawBytes, as: UTF8.self) }
}

/// Lends memory as the plugin will see it, overwritten with `poison` when the loan is over: a plugin that keeps a
/// borrowed pointer reads what cannot be text (C5). The memory is given back only much later, so nothing else lies there.
enum Loan {
  /// Never part of UTF-8.
  static let poison: UInt8 = 0xFE

  static func lend<Result, Failure: Error>(
    _ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let count = bytes.count
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 16)
    memory.copyBytes(from: bytes)
    defer {
      for index in memory.indices { memory[index] = poison }
      LoanQuarantine.keep(memory)
    }
    return try body(UnsafeRawBufferPointer(rebasing: memory[..<count]))
  }

  /// The same for a struct.
  static func lend<Value, Result>(value: Value, _ body: (UnsafePointer<Value>) -> Result) -> Result {
    withUnsafeBytes(of: value) { bytes in
      lend(bytes) { body($0.baseAddress!.assumingMemoryBound(to: Value.self)) }
    }
  }

  /// The same for an array of structs.
  static func lend<Value, Result>(array: [Value], _ body: (UnsafePointer<Value>?) -> Result) -> Result {
    array.withUnsafeBytes { bytes in lend(bytes) { body($0.baseAddress?.assumingMemoryBound(to: Value.self)) } }
  }
}

func lend<Result>(_ text: String, _ body: (prv_str) -> Result) -> Result {
  Loan.lend(text.utf8) { bytes in
    body(prv_str(ptr: bytes.baseAddress?.assumingMemoryBound(to: CChar.self), len: UInt64(bytes.count)))
  }
}
