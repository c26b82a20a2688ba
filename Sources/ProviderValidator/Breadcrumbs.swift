internal import CLinux
internal import Glibc
internal import Synchronization

/// The last calls across the boundary, in memory that outlives the process which wrote them.
///
/// A ring in a memfd: the child writes before and after each ABI call, the parent reads when the child has died. Any
/// thread may write; two that write at once may tear each other's text, never more.
package final class Breadcrumbs: @unchecked Sendable {  // the count is atomic, the slots are bytes
  private static let slots = 16
  private static let slotBytes = 240
  private static let pageBytes = 4096

  /// The memfd, or -1 in a child that was started without one.
  package let descriptor: Int32
  private let page: UnsafeMutableRawPointer
  private let count: UnsafeMutablePointer<Atomic<UInt64>>

  /// Makes a page of its own; nil when the system gives none.
  package convenience init?() {
    let descriptor = clinux_memfd("patchbay-calls")
    guard descriptor >= 0 else { return nil }
    guard ftruncate(descriptor, off_t(Self.pageBytes)) == 0 else {
      close(descriptor)
      return nil
    }
    self.init(descriptor: descriptor)
  }

  /// Maps the page of `descriptor`, which it owns from now on; memory of its own when there is none.
  package init(descriptor: Int32) {
    var pages = mmap(nil, Self.pageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    if pages == MAP_FAILED {
      pages = mmap(nil, Self.pageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    }
    guard let pages, pages != MAP_FAILED else { preconditionFailure("no memory for one page") }
    self.descriptor = descriptor
    page = pages
    count = pages.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  deinit {
    munmap(page, Self.pageBytes)
    if descriptor >= 0 { close(descriptor) }
  }

  /// Notes a call that is about to be made; returns its place for `ended`.
  package func begins(_ call: String) -> UInt64 {
    let place = count.pointee.wrappingAdd(1, ordering: .relaxed).oldValue
    write(call, at: place)
    return place
  }

  /// Notes what the call at `place` answered.
  package func ended(_ call: String, at place: UInt64) { write(call, at: place) }

  /// Notes `call` around `body`, with its result.
  package func around<Result>(_ call: @autoclosure () -> String, _ body: () -> Result) -> Result {
    let call = call()
    let place = begins(call)
    let result = body()
    ended(Result.self == Void.self ? "\(call) returned" : "\(call) = \(result)", at: place)
    return result
  }

  /// The notes, oldest first.
  package var calls: [String] {
    let count = count.pointee.load(ordering: .acquiring)
    let first = count > UInt64(Self.slots) ? count - UInt64(Self.slots) : 0
    return (first..<count).map { place in
      let slot = slot(place)
      return String(decoding: slot.prefix { $0 != 0 }, as: UTF8.self)
    }.filter { !$0.isEmpty }
  }

  private func slot(_ place: UInt64) -> UnsafeMutableRawBufferPointer {
    let index = Int(place % UInt64(Self.slots))
    return UnsafeMutableRawBufferPointer(start: page + 64 + index * Self.slotBytes, count: Self.slotBytes)
  }

  private func write(_ text: String, at place: UInt64) {
    let slot = slot(place)
    var text = text
    text.withUTF8 { bytes in
      let kept = UnsafeRawBufferPointer(bytes).prefix(Self.slotBytes - 1)
      slot.copyBytes(from: kept)
      slot[kept.count] = 0
    }
  }
}
