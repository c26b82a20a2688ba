import Glibc
import Testing

@testable import ProviderValidator

struct BreadcrumbsTests {
  @Test func `a call that has not returned stands last and without a result`() throws {
    let crumbs = try #require(Breadcrumbs())
    #expect(crumbs.calls == [])
    #expect(crumbs.around("entry(1)") { 7 } == 7)
    crumbs.around("destroy()") {}
    _ = crumbs.begins("create(kimi)")
    #expect(crumbs.calls == ["entry(1) = 7", "destroy() returned", "create(kimi)"])
  }

  @Test func `another mapping of the same page reads the same calls`() throws {
    let crumbs = try #require(Breadcrumbs())
    _ = crumbs.begins("call_open(3)")
    let copy = dup(crumbs.descriptor)
    try #require(copy >= 0)
    #expect(Breadcrumbs(descriptor: copy).calls == ["call_open(3)"])
  }

  @Test(arguments: [(15, 0), (16, 0), (17, 1)])
  func `the ring keeps the last 16 calls`(written: Int, first: Int) throws {
    let crumbs = try #require(Breadcrumbs())
    for number in 0..<written { _ = crumbs.begins("call \(number)") }
    #expect(crumbs.calls == (first..<written).map { "call \($0)" })
  }

  @Test func `a long call is cut, not spilled into the next`() throws {
    let crumbs = try #require(Breadcrumbs())
    _ = crumbs.begins(String(repeating: "x", count: 5000))
    _ = crumbs.begins("next")
    #expect(crumbs.calls == [String(repeating: "x", count: 239), "next"])
  }
}
