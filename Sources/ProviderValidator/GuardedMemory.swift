internal import Glibc

/// Memory that ends where no memory is: who reads or writes one byte too far crashes at once.
enum GuardedMemory {
  /// Lends the last `count` bytes before the end, zeroed.
  ///
  /// - Parameter count: a multiple of 8, so that structs in it are aligned; at most a megabyte.
  static func lend<Result>(
    count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(CheckStop) -> Result
  ) throws(CheckStop) -> Result {
    precondition(count > 0 && count % 8 == 0 && count <= 1 << 20, "\(count) bytes cannot be guarded")
    let page = sysconf(Int32(_SC_PAGESIZE))
    let used = (count + page - 1) / page * page
    let pages = mmap(nil, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED, mprotect(pages + used, page, PROT_NONE) == 0 else {
      preconditionFailure("no memory for \(used + page) guarded bytes")
    }
    defer { munmap(pages, used + page) }
    return try body(UnsafeMutableRawBufferPointer(start: pages + used - count, count: count))
  }
}
