import Bytes
public import SystemLibraries

/// zlib, opened at run time, with the functions that permessage-deflate uses.
///
/// Thread: any. It is never closed.
public final class Zlib: @unchecked Sendable {  // Immutable after `init`.
  typealias Stream = UnsafeMutableRawPointer

  let version: UnsafePointer<CChar>
  let inflateInit: @convention(c) (Stream, Int32, UnsafePointer<CChar>, Int32) -> Int32
  let inflate: @convention(c) (Stream, Int32) -> Int32
  let inflateReset: @convention(c) (Stream) -> Int32
  let inflateResetKeep: @convention(c) (Stream) -> Int32
  let inflateEnd: @convention(c) (Stream) -> Int32
  let deflateInit: @convention(c) (Stream, Int32, Int32, Int32, Int32, Int32, UnsafePointer<CChar>, Int32) -> Int32
  let deflate: @convention(c) (Stream, Int32) -> Int32
  let deflateReset: @convention(c) (Stream) -> Int32
  let deflateEnd: @convention(c) (Stream) -> Int32

  private static let loaded = LoadedOnce<Zlib>()

  /// Opens zlib; from the second time on returns the same.
  public static func load() throws(SharedLibrary.LoadError) -> Zlib {
    try loaded.get { () throws(SharedLibrary.LoadError) in try Zlib("libz.so.1") }
  }

  init(_ name: String) throws(SharedLibrary.LoadError) {
    let library = try SharedLibrary(name, remedy: "install the Debian package zlib1g, 1.2.6 or later")
    let zlibVersion: @convention(c) () -> UnsafePointer<CChar>? = try library.function("zlibVersion")
    guard let version = zlibVersion() else { throw library.unfit("does not say its version") }
    self.version = version
    inflateInit = try library.function("inflateInit2_")
    inflate = try library.function("inflate")
    inflateReset = try library.function("inflateReset")
    inflateResetKeep = try library.function("inflateResetKeep")
    inflateEnd = try library.function("inflateEnd")
    deflateInit = try library.function("deflateInit2_")
    deflate = try library.function("deflate")
    deflateReset = try library.function("deflateReset")
    deflateEnd = try library.function("deflateEnd")
  }
}

/// `z_stream` as zlib's binary interface has it on 64 bits (zlib.h); zlib keeps its address, so it does not move.
struct ZlibStream {
  var nextIn: UnsafePointer<UInt8>?
  var availableIn: UInt32 = 0
  var totalIn: UInt = 0
  var nextOut: UnsafeMutablePointer<UInt8>?
  var availableOut: UInt32 = 0
  var totalOut: UInt = 0
  var message: UnsafePointer<CChar>?
  var state: UnsafeMutableRawPointer?
  var allocate: UnsafeMutableRawPointer?
  var free: UnsafeMutableRawPointer?
  var opaque: UnsafeMutableRawPointer?
  var dataType: Int32 = 0
  var adler: UInt = 0
  var reserved: UInt = 0

  static let bytes = Int32(MemoryLayout<ZlibStream>.size)

  // Numbers of zlib.h.
  static let syncFlush: Int32 = 2
  static let ok: Int32 = 0
  static let streamEnd: Int32 = 1
  static let bufferError: Int32 = -5
  static let deflated: Int32 = 8
  static let defaultStrategy: Int32 = 0
  /// `data_type` between two blocks, with no bit of the last byte unused and not behind a last block.
  static let betweenBlocks: Int32 = 128
}

/// One stream of compressed bytes, read (RFC 1951). Owns the memory of zlib's state: 7 KiB, and the window from the
/// first byte on. Thread: one.
final class Inflater {
  enum Outcome: Equatable {
    /// All input is read.
    case drained
    /// There is more output than `limit` lets in.
    case full
    /// There is more output than the bytes read so far may make.
    case tooDense
    case corrupt
  }

  private let zlib: Zlib
  private let stream: UnsafeMutablePointer<ZlibStream>

  /// nil: no memory.
  init?(_ zlib: Zlib, windowBits: Int) {
    self.zlib = zlib
    stream = .allocate(capacity: 1)
    stream.initialize(to: ZlibStream())
    guard zlib.inflateInit(stream, -Int32(windowBits), zlib.version, ZlibStream.bytes) == ZlibStream.ok else {
      stream.deallocate()
      return nil
    }
  }

  deinit {
    _ = zlib.inflateEnd(stream)
    stream.deallocate()
  }

  /// About what one takes (zlib's zconf.h, and its structures).
  static func bytes(windowBits: Int) -> Int { (1 << windowBits) + 7_200 }

  /// Forgets the window.
  func reset() { _ = zlib.inflateReset(stream) }

  /// Whether the input so far ends where a block ends, at a whole byte.
  var isBetweenBlocks: Bool { stream.pointee.dataType == ZlibStream.betweenBlocks }

  /// How much may come of what was read.
  struct Bounds {
    /// Bytes that `output` never holds more of.
    var limit: Int
    /// Beyond `freeBytes` of output: bytes out for each byte in, on average so far.
    var ratio = Int(Int32.max)
    var freeBytes = 0
    /// Bytes of the message that were read before.
    var readBefore = 0
  }

  /// Appends to `output` what `input` makes.
  func inflate(_ input: UnsafeRawBufferPointer, into output: inout ByteBuffer, _ bounds: Bounds) -> Outcome {
    stream.pointee.nextIn = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.availableIn = UInt32(input.count)
    defer { stream.pointee.nextIn = nil }
    while true {
      let outcome = output.count < bounds.limit ? fill(&output, bounds.limit) : probe()
      let read = bounds.readBefore + input.count - Int(stream.pointee.availableIn)
      if output.count > bounds.freeBytes, output.count > bounds.ratio * read { return .tooDense }
      if let outcome { return outcome }
    }
  }

  /// One step into the output's memory; nil: go on.
  private func fill(_ output: inout ByteBuffer, _ limit: Int) -> Outcome? {
    let expected = min(max(4 * Int(stream.pointee.availableIn), Self.leastRoom), Self.mostRoom)
    let size = min(expected, limit - output.count)
    let status = step(output.writable(size).baseAddress, size)
    output.commit(size - Int(stream.pointee.availableOut))
    return outcome(status)
  }

  /// Output is as large as it may be: is there more?
  private func probe() -> Outcome? {
    var byte: UInt8 = 0
    let status = withUnsafeMutableBytes(of: &byte) { step($0.baseAddress, 1) }
    return stream.pointee.availableOut == 0 ? .full : outcome(status)
  }

  private func step(_ room: UnsafeMutableRawPointer?, _ size: Int) -> Int32 {
    stream.pointee.nextOut = room?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.availableOut = UInt32(size)
    return zlib.inflate(stream, ZlibStream.syncFlush)
  }

  private func outcome(_ status: Int32) -> Outcome? {
    switch status {
    case ZlibStream.ok:
      // Room that was left says that no output waits.
      return stream.pointee.availableIn == 0 && stream.pointee.availableOut > 0 ? .drained : nil
    case ZlibStream.streamEnd:
      // A last block ends no message (RFC 7692 §7.2.3.4): the next one follows, with the window as it is.
      _ = zlib.inflateResetKeep(stream)
      return stream.pointee.availableIn == 0 ? .drained : nil
    // No input, or nothing to do with it.
    case ZlibStream.bufferError: return .drained
    default: return .corrupt
    }
  }

  private static let leastRoom = 256
  private static let mostRoom = 64 << 10
}

/// One stream of bytes, compressed (RFC 1951). Owns the memory of zlib's state: 262 KiB with 15 bits, 10 KiB with 9.
/// Thread: one.
final class Deflater {
  private let zlib: Zlib
  private let stream: UnsafeMutablePointer<ZlibStream>

  /// The fastest level: an event loop waits for it.
  private static let level: Int32 = 1

  /// nil: no memory.
  init?(_ zlib: Zlib, windowBits: Int) {
    self.zlib = zlib
    stream = .allocate(capacity: 1)
    stream.initialize(to: ZlibStream())
    let memory = Int32(Self.memoryLevel(windowBits))
    let status = zlib.deflateInit(
      stream, Self.level, ZlibStream.deflated, -Int32(windowBits), memory, ZlibStream.defaultStrategy, zlib.version,
      ZlibStream.bytes)
    guard status == ZlibStream.ok else {
      stream.deallocate()
      return nil
    }
  }

  deinit {
    _ = zlib.deflateEnd(stream)
    stream.deallocate()
  }

  /// The hash table is as large as its window: 8, zlib's default, with 15 bits.
  private static func memoryLevel(_ windowBits: Int) -> Int { windowBits - 7 }

  /// About what one takes (zlib's zconf.h, and its structures).
  static func bytes(windowBits: Int) -> Int { (1 << (windowBits + 2)) + (1 << (memoryLevel(windowBits) + 9)) + 6_000 }

  /// Forgets the window.
  func reset() { _ = zlib.deflateReset(stream) }

  /// Appends `input`, which is not empty, as a message (RFC 7692 §7.2.1): flushed, and without the four bytes that every
  /// flush ends with. false: zlib failed, and `output` is of no use.
  func deflate(_ input: UnsafeRawBufferPointer, into output: inout ByteBuffer) -> Bool {
    stream.pointee.nextIn = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.availableIn = UInt32(input.count)
    defer { stream.pointee.nextIn = nil }
    let before = output.count
    repeat {
      let room = output.writable(max(Self.leastRoom, input.count / 4))
      let size = min(room.count, Int(Int32.max))
      stream.pointee.nextOut = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.availableOut = UInt32(size)
      let status = zlib.deflate(stream, ZlibStream.syncFlush)
      guard status == ZlibStream.ok || status == ZlibStream.bufferError else { return false }
      output.commit(size - Int(stream.pointee.availableOut))
    } while stream.pointee.availableOut == 0
    guard output.count - before >= 4 else { return false }
    output.truncate(to: output.count - 4)
    return true
  }

  private static let leastRoom = 512
}
