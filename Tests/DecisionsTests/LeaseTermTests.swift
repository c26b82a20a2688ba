import Testing

@testable import Decisions

@Suite struct LeaseTermTests {
  @Test(arguments: [
    (total: UInt64(0), term: UInt64(5_000_000_000)),
    (total: 100_000_000, term: 5_100_000_000),
    (total: 10_000_000_000, term: 15_000_000_000),
    (total: 10_000_000_002, term: 15_000_000_003),
    (total: 180_000_000_000, term: 270_000_000_000),
    (total: .max, term: .max),
  ])
  func `a lease outlives its call by half of it, and by the grace at least`(total: UInt64, term: UInt64) {
    #expect(Leases.term(ofTotal: total) == term)
  }
}
