import Testing

@testable import LoadTest

struct HostWatchTests {
  private let second: UInt64 = 1_000_000_000

  @Test func `figures go to before, during and after`() throws {
    var watch = HostWatch(now: 0)
    watch.take(try CriteriaTests.figures(), now: 1)
    watch.runBegan(now: second)
    watch.take(try CriteriaTests.figures(#"{"global_in_flight":8,"sessions":10}"#), now: 3 * second)
    #expect(watch.before?.inFlight == 0 && watch.latest?.inFlight == 8 && watch.after == nil)
    #expect(watch.memory.count == 1 && !watch.isAsBefore)
    watch.runEnded()
    watch.take(try CriteriaTests.figures(#"{"global_in_flight":1}"#), now: 4 * second)
    #expect(watch.after?.inFlight == 1 && !watch.isAsBefore && watch.memory.count == 1)
    watch.take(try CriteriaTests.figures(), now: 4 * second)
    #expect(watch.isAsBefore && watch.most?.inFlight == 8 && watch.most?.sessions == 10)
  }

  @Test(arguments: [#"{"global_in_flight":1}"#, #"{"queued":1}"#, #"{"sessions":2}"#, #"{"connections":2}"#])
  func `more of anything is not as before`(after: String) throws {
    var watch = HostWatch(now: 0)
    watch.take(try CriteriaTests.figures(), now: 0)
    watch.runEnded()
    watch.take(try CriteriaTests.figures(after), now: 0)
    #expect(!watch.isAsBefore)
  }

  @Test func `a question is open until it is answered or its connection is lost`() throws {
    var watch = HostWatch(now: 0)
    watch.asked(over: 3, now: 0)
    watch.connectionLost(2, message: "gone")
    #expect(watch.isAsking)
    watch.connectionLost(3, message: "gone")
    #expect(!watch.isAsking)
    watch.asked(over: 1, now: 0)
    watch.take(try CriteriaTests.figures(), now: 0)
    #expect(!watch.isAsking)
  }

  @Test func `a host that does not answer in time is trouble`() {
    var watch = HostWatch(now: 0)
    watch.asked(over: 0, now: second)
    watch.sawOpen(now: 100 * second)
    #expect(watch.trouble(now: second + HostWatch.answerNanoseconds - 1) == nil)
    #expect(watch.trouble(now: second + HostWatch.answerNanoseconds)?.contains("health") == true)
  }

  @Test func `a host without any connection for a while is gone, and the last loss says why`() {
    var watch = HostWatch(now: 0)
    watch.sawOpen(now: second)
    watch.connectionLost(0, message: "Connection refused")
    #expect(watch.trouble(now: second + HostWatch.absenceNanoseconds - 1) == nil)
    #expect(watch.trouble(now: second + HostWatch.absenceNanoseconds)?.contains("Connection refused") == true)
    watch.sawOpen(now: 10 * second)
    #expect(watch.trouble(now: 10 * second) == nil)
  }

  @Test func `another process at the same address is another host`() throws {
    var watch = HostWatch(now: 0)
    watch.take(try CriteriaTests.figures(), now: 0)
    watch.take(try CriteriaTests.figures(), now: 0)
    #expect(watch.trouble(now: 0) == nil)
    watch.take(try CriteriaTests.figures(#"{"process":{"pid":8}}"#), now: 0)
    #expect(watch.trouble(now: 0)?.contains("7 has become 8") == true)
  }
}
