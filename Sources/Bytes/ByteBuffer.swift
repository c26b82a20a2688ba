public import Glibc

/// A growable run of bytes that are written at the end and read from the front.
///
/// One owner, one thread. An empty buffer that never held anything owns no memory, so an idle connection can keep one
/// for the price of four words. `readable` and `writable` pointers are valid until the next mutating call.
public struct ByteBuffer: ~Copyable {
  @usableFromInline var base: UnsafeMutableRawPointer?
  @usableFromInline var start: Int
  @usableFromInline var end: Int
  @usableFromInline var capacity: Int

  @inlinable
  public init() {
    base = nil
    start = 0
    end = 0
    capacity = 0
  }

  /// Makes an empty buffer with room for `capacity` bytes.
  @inlinable
  public init(capacity: Int) {
    self.init()
    reserve(capacity)
  }

  @inlinable
  deinit { free(base) }

  /// The number of bytes not yet read.
  @inlinable public var count: Int { end - start }
  @inlinable public var isEmpty: Bool { start == end }
  /// The bytes of memory this buffer owns.
  @inlinable public var allocatedBytes: Int { capacity }

  /// The bytes not yet read.
  @inlinable public var readable: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base.map { UnsafeRawPointer($0 + start) }, count: end - start)
  }

  /// The bytes not yet read, to change in place (unmasking).
  @inlinable public var readableMutable: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base.map { $0 + start }, count: end - start)
  }

  /// Makes room for at least `count` more bytes behind the end: moves what is unread to the front, or grows.
  @inlinable
  public mutating func reserve(_ count: Int) {
    if capacity - end >= count { return }
    makeRoom(count)
  }

  @usableFromInline
  mutating func makeRoom(_ count: Int) {
    precondition(count >= 0 && count <= 1 << 40, "a buffer cannot grow by \(count) bytes")
    let unread = end - start
    if let base, capacity - unread >= count, start >= unread {
      memcpy(base, base + start, unread)
    } else if let base, capacity - unread >= count {
      memmove(base, base + start, unread)
    } else {
      var size = max(capacity * 2, 64)
      while size < unread + count { size *= 2 }
      let fresh: UnsafeMutableRawPointer
      if start == 0 {
        // The C library moves the pages of a large block instead of copying them to ones that must first be brought in:
        // a message of megabytes would hold its loop for milliseconds each time its buffer doubles.
        fresh = realloc(base, size)!
      } else {
        fresh = malloc(size)!
        if let base { memcpy(fresh, base + start, unread) }
        free(base)
      }
      base = fresh
      capacity = size
    }
    start = 0
    end = unread
  }

  /// Room for `count` bytes behind the end; `commit` makes what was written there part of the buffer.
  @inlinable
  public mutating func writable(_ count: Int) -> UnsafeMutableRawBufferPointer {
    reserve(count)
    return UnsafeMutableRawBufferPointer(start: base! + end, count: capacity - end)
  }

  @inlinable
  public mutating func commit(_ count: Int) {
    precondition(count >= 0 && count <= capacity - end, "\(count) bytes were not reserved")
    end &+= count
  }

  @inlinable
  public mutating func append(_ byte: UInt8) {
    reserve(1)
    base.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
    end &+= 1
  }

  @inlinable
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    memcpy(base.unsafelyUnwrapped + end, source, bytes.count)
    end &+= bytes.count
  }

  // Inlined, the length of a literal is known and its copy a few stores: a frame has dozens of them.
  @inlinable
  @inline(__always)
  public mutating func append(_ text: StaticString) {
    let count = text.utf8CodeUnitCount
    if count == 0 { return }
    reserve(count)
    memcpy(base.unsafelyUnwrapped + end, text.utf8Start, count)
    end &+= count
  }

  // Disfavored, so that a literal is appended as a StaticString, without a detour.
  @inlinable
  @_disfavoredOverload
  public mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  @inlinable
  public mutating func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0) }
  }

  /// Drops `count` bytes from the front.
  @inlinable
  public mutating func consume(_ count: Int) {
    precondition(count >= 0 && count <= end - start, "\(count) bytes are not there to consume")
    start &+= count
    if start == end {
      start = 0
      end = 0
    }
  }

  /// Drops bytes from the end, so that `count` stay.
  @inlinable
  public mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= end - start, "\(count) bytes are not there to keep")
    end = start &+ count
  }

  /// Forgets all bytes; keeps the memory unless it is more than `keeping` bytes.
  @inlinable
  public mutating func removeAll(keeping bytes: Int = .max) {
    start = 0
    end = 0
    if capacity > bytes {
      free(base)
      base = nil
      capacity = 0
    }
  }

  /// A copy of the unread bytes.
  public func copy() -> [UInt8] { [UInt8](readable) }

  /// The unread bytes as text; what is not UTF-8 is repaired, so use it for text that was validated, or for messages.
  public func string() -> String { String(decoding: readable, as: UTF8.self) }
}
