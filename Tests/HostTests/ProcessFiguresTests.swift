import Glibc
import Testing

@testable import Host

/// The figures are the test process's own, which runs other tests beside these.
struct ProcessFiguresTests {
  @Test func `resident memory is within what the process has mapped`() throws {
    let bytes = try #require(ProcessFigures.residentBytes)
    #expect(bytes > 1 << 20 && bytes % sysconf(Int32(_SC_PAGESIZE)) == 0)
    #expect(ProcessFigures.residentMegabytes != "unknown")
  }

  @Test func `a process has at least the thread that asks`() throws {
    #expect(try #require(ProcessFigures.threads) >= 1)
  }

  @Test func `open descriptors are counted both ways`() throws {
    let before = try #require(ProcessFigures.descriptors)
    let listedBefore = try #require(ProcessFigures.listedDescriptors())
    // Enough that what other tests close meanwhile does not hide them.
    let extra = 500
    let opened = (0..<extra).map { _ in dup(0) }
    #expect(opened.allSatisfy { $0 >= 0 })
    let during = try #require(ProcessFigures.descriptors)
    let listedDuring = try #require(ProcessFigures.listedDescriptors())
    for descriptor in opened { close(descriptor) }
    #expect(during >= before + extra / 2 && during <= before + extra * 2)
    #expect(listedDuring >= listedBefore + extra / 2 && listedDuring <= listedBefore + extra * 2)
  }
}
