import Testing

@testable import Decisions

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: UInt64(seconds * 1e9)) }

struct AlertDeliveryTests {
  @Test func `messages go one at a time and in order`() {
    var delivery = AlertDelivery<Int>()
    #expect(delivery.next(now: at(1)) == nil && delivery.nextAt == nil)
    delivery.add(1)
    delivery.add(2)
    #expect(delivery.next(now: at(1)) == 1 && delivery.next(now: at(1)) == nil && delivery.nextAt == nil)
    delivery.ended(.delivered, now: at(2))
    #expect(delivery.next(now: at(2)) == 2)
    delivery.ended(.delivered, now: at(3))
    #expect(delivery.next(now: at(3)) == nil && delivery.delivered == 2 && delivery.count == 0)
  }

  @Test func `tries wait 1, 2, 4 and so on to 60 seconds, and the tenth is the last`() {
    var delivery = AlertDelivery<Int>()
    delivery.add(1)
    delivery.add(2)
    var (now, waits) = (0.0, [Double]())
    while delivery.next(now: at(now)) == 1 {
      delivery.ended(.failed, now: at(now))
      guard case let next? = delivery.nextAt, next.nanoseconds > 0 else { break }
      let due = Double(next.nanoseconds) / 1e9
      waits.append(due - now)
      #expect(delivery.next(now: at(due - 0.001)) == nil)
      now = due
    }
    #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    #expect(delivery.dropped == 1 && delivery.failuresInARow == 10 && delivery.count == 1)
    #expect(delivery.next(now: at(now)) == 2)
    delivery.ended(.delivered, now: at(now))
    #expect(delivery.failuresInARow == 0 && delivery.delivered == 1)
  }

  @Test func `what would be refused again is not tried again`() {
    var delivery = AlertDelivery<Int>()
    delivery.add(1)
    #expect(delivery.next(now: at(1)) == 1)
    delivery.ended(.refused, now: at(1))
    #expect(delivery.count == 0 && delivery.dropped == 1 && delivery.failuresInARow == 1)
  }

  @Test(arguments: [(99, 0, 1), (100, 0, 1), (101, 1, 2)] as [(Int, UInt64, Int)])
  func `a hundred wait; beyond them the oldest goes`(messages: Int, dropped: UInt64, first: Int) {
    var delivery = AlertDelivery<Int>()
    for message in 1...messages { delivery.add(message) }
    #expect(delivery.dropped == dropped && delivery.count == min(messages, 100))
    #expect(delivery.next(now: at(1)) == first)
  }

  @Test func `the one that is being tried is not dropped for others`() {
    var delivery = AlertDelivery<Int>()
    for message in 1...100 { delivery.add(message) }
    #expect(delivery.next(now: at(1)) == 1)
    delivery.add(101)
    delivery.ended(.delivered, now: at(1))
    #expect(delivery.next(now: at(1)) == 3 && delivery.dropped == 1)
  }
}
