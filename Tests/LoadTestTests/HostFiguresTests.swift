import JSON
import Testing

@testable import LoadTest

struct HostFiguresTests {
  private func figures(_ health: String) throws -> HostFigures? { HostFigures(health: try JSONValue(parsing: health)) }

  @Test func `everything a host says is read`() throws {
    let read = try #require(
      try figures(
        """
        {"global_in_flight":1,"queued":2,"sessions":3,"connections":4,"overdue_leases":5,"dropped_permits":6,
         "counters":{"admitted":7,"released":8,"refused":9,"dropped_permits":6},
         "process":{"pid":10,"resident_bytes":11,"descriptors":12,"threads":13},
         "providers":{"mirror":{"plugin":"org.patchbay.echo","upstream_calls":14},
                      "kimi":{"plugin":"org.patchbay.kimi","upstream_calls":15}}}
        """))
    #expect(read.inFlight == 1 && read.queued == 2 && read.sessions == 3 && read.connections == 4)
    #expect(read.overdueLeases == 5 && read.droppedPermits == 6 && read.admitted == 7 && read.refused == 9)
    #expect(read.pid == 10 && read.residentBytes == 11 && read.descriptors == 12 && read.threads == 13)
    #expect(read.upstreamCalls == 29 && read.echoProviders == ["mirror"])
  }

  @Test func `what a host does not say stays unknown`() throws {
    let read = try #require(try figures(#"{"global_in_flight":0,"sessions":1,"providers":{"a":{}},"process":null}"#))
    #expect(read.upstreamCalls == nil && read.admitted == nil && read.residentBytes == nil && read.threads == nil)
    #expect(read.echoProviders.isEmpty && read.queued == 0)
  }

  @Test(arguments: [
    "{}", "[]", #"{"global_in_flight":0}"#, #"{"sessions":1}"#, #"{"global_in_flight":"0","sessions":1}"#,
  ])
  func `without permits and sessions it is no host`(health: String) throws {
    #expect(try figures(health) == nil)
  }

  @Test func `the most of each figure is kept, whichever look had it`() throws {
    let first = try #require(try figures(#"{"global_in_flight":9,"sessions":1,"process":{"threads":4}}"#))
    let second = try #require(try figures(#"{"global_in_flight":2,"sessions":7,"process":{"resident_bytes":5}}"#))
    for most in [first.most(second), second.most(first)] {
      #expect(most.inFlight == 9 && most.sessions == 7 && most.threads == 4 && most.residentBytes == 5)
    }
  }
}
