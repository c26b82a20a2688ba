internal import Glibc

/// Memory that ends where no memory is: who reads or writes one byte too far crashes at once.
final class GuardedMemory {
  private let pages: UnsafeMutableRawPointer
  private let mapped: Int
  /// The last `count` bytes before the end; zeroed.
  let bytes: UnsafeMutableRawBufferPointer

  /// - Parameter count: a multiple of 8, so that structs in it are aligned; at most a megabyte.
  init(count: Int) {
    precondition(count > 0 && count % 8 == 0 && count <= 1 << 20, "\(count) bytes cannot be guarded")
    let page = sysconf(Int32(_SC_PAGESIZE))
    let used = (count + page - 1) / page * page
    mapped = used + page
    let pages = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED, mprotect(pages + used, page, PROT_NONE) == 0 else {
      preconditionFailure("no memory for \(mapped) guarded bytes")
    }
    self.pages = pages
    bytes = UnsafeMutableRawBufferPointer(start: pages + used - count, count: count)
  }

  deinit { munmap(pages, mapped) }
}
