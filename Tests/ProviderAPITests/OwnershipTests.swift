import CProviderABI
import ProviderTesting
import Testing

@testable import ProviderAPI

@Suite struct `After its end` {
  private final class Witness: Sendable {}

  enum Path: CaseIterable {
    case finished, thrown, cancelledAsleep, cancelledPaused, cancelledReading, leftExchange, forgotten
  }

  @Test(arguments: Path.allCases)
  func `a call leaves nothing behind`(path: Path) throws {
    weak var left: Witness?
    do {
      let host = MockHost()
      let witness = Witness()
      left = witness
      let instance = try Scripted.instance(on: host, name: "leaves nothing, \(path)") {
        (request: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
        defer { withExtendedLifetime(witness) {} }
        switch path {
        case .finished: break
        case .thrown: throw ProviderError(.upstream, "no")
        case .cancelledAsleep: try await stream.context.sleep(nanoseconds: 1_000)
        case .cancelledPaused, .forgotten: try await stream.text("a")
        case .cancelledReading, .leftExchange:
          var exchange = try await request.context.http(
            HTTPRequest(method: "GET", url: "https://a.example", mode: .sse))
          _ = try await exchange.nextEvent()
        }
        return stream.finish(.stop)
      }
      let call = try instance.chat("hi", answering: [PRV_PAUSE])
      host.run()
      switch path {
      case .finished, .thrown: break
      case .cancelledAsleep, .cancelledPaused: instance.cancel(call)
      case .cancelledReading:
        host.exchanges[0].answer()
        host.run()
        instance.cancel(call)
      case .leftExchange:
        host.exchanges[0].answer()
        host.exchanges[0].send(event: "x")
      case .forgotten:
        instance.forget(call)
        instance.close(call)
      }
      host.run()
      #expect(call.isClosed)
      #expect(host.timersWaiting == 0)
      #expect(host.exchanges.allSatisfy { $0.isComplete })
      #expect(host.violations.isEmpty)
    }
    #expect(left == nil)
  }

  @Test(arguments: [false, true])
  func `a timer that the host drops with its call is freed, as one that fires is`(fires: Bool) throws {
    final class Place: @unchecked Sendable {  // one thread: the mock host's
      weak var timer: Timer?
    }
    let place = Place()
    do {
      let host = MockHost()
      let instance = try Scripted.instance(on: host, name: "drops a timer, \(fires)") {
        (request: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
        let timer = Timer(of: request.call)
        place.timer = timer
        try await timer.wait(nanoseconds: 5)
        return stream.finish(.stop)
      }
      let call = try instance.chat("hi")
      let isHeld = place.timer != nil
      #expect(isHeld)
      if fires {
        host.advance(nanoseconds: 5)
      } else {
        instance.forget(call)
        instance.close(call)
      }
      host.run()
      #expect(call.isClosed)
    }
    let isFreed = place.timer == nil
    #expect(isFreed)
  }

  @Test(arguments: [16, 17])
  func `a wait beyond the host's timers fails, and only that one`(waits: Int) throws {
    let host = MockHost()
    let instance = try Scripted.instance(on: host, name: "timers \(waits)") {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      let context = stream.context
      let refused = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<waits {
          group.addTask {
            do throws(ProviderError) {
              try await context.sleep(nanoseconds: 5)
              return false
            } catch {
              return error.code == .limit
            }
          }
        }
        return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      try await stream.text("\(refused)")
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi")
    host.advance(nanoseconds: 5)
    #expect(call.text == "\(waits - 16)")
    #expect(call.isClosed)
  }
}
