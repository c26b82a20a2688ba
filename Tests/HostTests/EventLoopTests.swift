import CLinux
import Decisions
import Glibc
import Synchronization
import Testing

@testable import Host

/// Notes what a loop tells it.
private final class Probe: TimerTarget, DescriptorHandler, TurnEndHandler {
  var fired: [UInt32] = []
  var ready: [DescriptorInterest] = []
  var turns = 0
  var onTimer: (UInt32) -> Void = { _ in }
  var onReady: (DescriptorInterest) -> Void = { _ in }
  var onTurn: () -> Void = {}

  func timerFired(_ tag: UInt32) {
    fired.append(tag)
    onTimer(tag)
  }

  func descriptorReady(_ interest: DescriptorInterest) {
    ready.append(interest)
    onReady(interest)
  }

  func turnEnded() {
    turns += 1
    onTurn()
  }
}

private func socketPair() -> (Int32, Int32) {
  var pair: [Int32] = [0, 0]
  #expect(
    socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
  return (pair[0], pair[1])
}

/// A watched socket that has a byte to read.
private final class ReadySocket {
  let probe = Probe()
  let token: DescriptorToken
  private let ours: Int32
  private let theirs: Int32

  init(on loop: EventLoop, _ priority: DescriptorPriority = .normal) throws {
    (ours, theirs) = socketPair()
    token = try loop.add(ours, .read, priority, handler: probe)
    #expect(write(theirs, "x", 1) == 1)
  }

  deinit {
    close(ours)
    close(theirs)
  }
}

struct EventLoopTests {
  @Test func `timers fire in the order of their deadlines and not when cancelled`() throws {
    let loop = try EventLoop(index: 0)
    let probe = Probe()
    let start = loop.now
    let ids = [3, 1, 2, 5, 4].map { tag in
      loop.schedule(at: start.advanced(milliseconds: UInt64(tag)), probe, tag: UInt32(tag))
    }
    #expect(loop.cancel(ids[2]))
    #expect(!loop.cancel(ids[2]))
    probe.onTimer = { if $0 == 5 { loop.stop() } }
    loop.run()
    #expect(probe.fired == [1, 3, 4, 5])
    #expect(!loop.cancel(ids[0]))
    #expect(loop.now >= start.advanced(milliseconds: 5))
  }

  @Test func `a thousand timers inserted and removed at random leave the heap in order`() {
    var heap = TimerHeap()
    var generator = SystemRandomNumberGenerator()
    let probe = Probe()
    var live: [TimerID] = []
    for round in 0..<1_000 {
      live.append(
        heap.insert(at: Instant(nanoseconds: .random(in: 0..<500, using: &generator)), probe, tag: UInt32(round)))
      guard round % 3 == 0 else { continue }
      let wasRemoved = heap.remove(live.remove(at: .random(in: live.indices, using: &generator)))
      #expect(wasRemoved)
    }
    #expect(heap.count == live.count)
    var previous: UInt64 = 0
    while let next = heap.next {
      #expect(next.nanoseconds >= previous)
      previous = next.nanoseconds
      let due = heap.popDue(now: Instant(nanoseconds: previous))
      #expect(due != nil)
    }
    #expect(heap.count == 0)
  }

  @Test func `jobs submitted from many threads all run on the loop, once`() throws {
    let loop = try EventLoop(index: 0)
    let counter = Atomic<Int>(0)
    loop.start()
    let threads = (0..<8).map { _ -> pthread_t in
      var thread = pthread_t()
      let box = Unmanaged.passRetained(
        Work {
          for _ in 0..<1_000 {
            let wasTaken = loop.submit(
              .work {
                #expect(loop.isCurrent && EventLoop.current === loop)
                counter.add(1, ordering: .relaxed)
              })
            #expect(wasTaken)
          }
        })
      pthread_create(
        &thread, nil,
        { argument in
          Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
          return nil
        }, box.toOpaque())
      return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    loop.stop()
    loop.join()
    #expect(counter.load(ordering: .relaxed) == 8_000)
    #expect(!loop.submit(.work {}))
    #expect(EventLoop.current == nil)
  }

  @Test func `the mailbox takes its limit, refuses one more, and grants pass`() throws {
    let loop = try EventLoop(index: 0)
    var ran = 0
    for _ in 0..<EventLoop.mailboxLimit { #expect(loop.submit(.work { ran += 1 })) }
    #expect(!loop.submit(.work { ran += 1 }))
    #expect(loop.submitPastBound(.work { ran += 1 }))
    loop.stop()
    loop.run()
    #expect(ran == EventLoop.mailboxLimit + 1)
  }

  @Test func `a job that the loop submits to itself is not slept over`() throws {
    let loop = try EventLoop(index: 0)
    let probe = Probe()
    probe.onTimer = { _ in
      Issue.record("the loop slept until its timer")
      loop.stop()
    }
    let alarm = loop.schedule(at: .now().advanced(milliseconds: 20_000), probe, tag: 0)
    loop.enqueue(
      .work {
        let wasTaken = loop.submit(.work { loop.stop() })
        #expect(wasTaken)
      })
    loop.run()
    #expect(loop.cancel(alarm))
  }

  @Test func `two loops that answer each other never miss a wake`() throws {
    let loops = [try EventLoop(index: 0), try EventLoop(index: 1)]
    let rounds = 20_000
    @Sendable func pass(_ round: Int) {
      guard round < rounds else { return loops.forEach { $0.stop() } }
      let wasTaken = loops[round % 2].submit(.work { pass(round + 1) })
      #expect(wasTaken)
    }
    for loop in loops { loop.start() }
    pass(0)
    for loop in loops { loop.join() }
  }

  @Test func `a queue that is never empty keeps its order and does not grow`() {
    var queue = JobQueue()
    var ran: [Int] = []
    var most = 0
    queue.append(.work { ran.append(0) })
    for number in 1...20_000 {
      queue.append(.work { ran.append(number) })
      queue.popFirst()?.run()
      most = max(most, queue.slotCount)
    }
    #expect(ran == Array(0..<20_000) && !queue.isEmpty)
    #expect(most <= 4_098)
  }

  @Test func `a job runs after the one that enqueued it, and the turn ends after both`() throws {
    let loop = try EventLoop(index: 0)
    var order: [String] = []
    let probe = Probe()
    loop.enqueue(
      .work {
        loop.enqueue(
          .work {
            order.append("inner, turn ends \(probe.turns)")
            loop.stop()
          })
        loop.atEndOfTurn(probe)
        order.append("outer")
      })
    loop.run()
    #expect(order == ["outer", "inner, turn ends 0"])
    #expect(probe.turns == 1)
  }

  @Test func `readiness is reported until it is taken, and never after remove`() throws {
    let loop = try EventLoop(index: 0)
    let first = try ReadySocket(on: loop)
    let second = try ReadySocket(on: loop)
    // Whoever comes first removes both: the other's event, already read from the kernel, must not arrive.
    let remove: (DescriptorInterest) -> Void = { _ in
      loop.remove(first.token)
      loop.remove(second.token)
      loop.stop()
    }
    first.probe.onReady = remove
    second.probe.onReady = remove
    loop.run()
    #expect(first.probe.ready.count + second.probe.ready.count == 1)
    loop.modify(first.token, .write)
    loop.remove(first.token)
  }

  @Test func `write interest and a hangup are told apart`() throws {
    let loop = try EventLoop(index: 0)
    let (ours, theirs) = socketPair()
    defer { close(ours) }
    let probe = Probe()
    let token = try loop.add(ours, .write, handler: probe)
    probe.onReady = { ready in
      if ready.contains(.hangup) { return loop.stop() }
      loop.modify(token, [])
      close(theirs)
    }
    loop.run()
    #expect(probe.ready.first == .write)
    #expect(probe.ready.last?.contains(.hangup) == true)
  }

  @Test func `interest taken back in a turn holds for what this turn had already read`() throws {
    let loop = try EventLoop(index: 0)
    let first = try ReadySocket(on: loop)
    let second = try ReadySocket(on: loop)
    let pause: (DescriptorInterest) -> Void = { _ in
      loop.modify(first.token, [])
      loop.modify(second.token, [])
      loop.stop()
    }
    first.probe.onReady = pause
    second.probe.onReady = pause
    loop.run()
    #expect(first.probe.ready.count + second.probe.ready.count == 1)
  }

  @Test func `between two looks at what is normal, what is low has one share of the time`() throws {
    let loop = try EventLoop(index: 0)
    let low = try (0..<50).map { _ in try ReadySocket(on: loop, .low) }
    let normal = try ReadySocket(on: loop)
    var since = 0
    var longest = 0
    for socket in low {
      socket.probe.onReady = { _ in
        since += 1
        // Takes a share by itself, so that no second batch is asked for.
        let end = Instant.now().advanced(nanoseconds: EventLoop.lowNanoseconds)
        while Instant.now() < end {}
      }
    }
    normal.probe.onReady = { _ in
      longest = max(longest, since)
      since = 0
      if low.allSatisfy({ !$0.probe.ready.isEmpty }) { loop.stop() }
    }
    loop.run()
    #expect(longest == EventLoop.lowEvents)
    // Nobody has been looked at twice before all others had been once.
    #expect(low.allSatisfy { (1...2).contains($0.probe.ready.count) })
  }

  @Test func `low jobs run in their order, behind what is normal, and hold no turn`() throws {
    let loop = try EventLoop(index: 0)
    let normal = try ReadySocket(on: loop)
    var order: [Int] = []
    var looks: [Int] = []
    for number in 0..<10 {
      loop.enqueueLow(
        .work {
          order.append(number)
          let end = Instant.now().advanced(nanoseconds: EventLoop.lowNanoseconds)
          while Instant.now() < end {}
        })
    }
    normal.probe.onReady = { _ in
      looks.append(order.count)
      if order.count == 10 { loop.stop() }
    }
    loop.run()
    #expect(order == Array(0..<10))
    #expect(looks.prefix(11) == Array(0...10)[...])
  }

  @Test func `what is low has its mail before its end, and one end for all that a share took`() throws {
    let loop = try EventLoop(index: 0)
    let low = try (0..<EventLoop.lowEvents).map { _ in try ReadySocket(on: loop, .low) }
    let end = Probe()
    var order: [String] = []
    for socket in low {
      socket.probe.onReady = { _ in
        order.append("low")
        loop.remove(socket.token)
        if order.count == 1 { loop.atEndOfTurn(end) }
        #expect(loop.submit(.work { order.append("mail") }))
      }
    }
    end.onTurn = {
      order.append("end")
      loop.stop()
    }
    loop.run()
    #expect(order == ["low", "low", "mail", "mail", "end"])
  }

  @Test func `another priority holds from the next wait on`() throws {
    let loop = try EventLoop(index: 0)
    let moved = try ReadySocket(on: loop)
    let other = try ReadySocket(on: loop, .low)
    loop.modify(moved.token, .low)
    loop.modify(other.token, .normal)
    var order: [String] = []
    moved.probe.onReady = { _ in
      order.append("low")
      loop.stop()
    }
    other.probe.onReady = { _ in order.append("normal") }
    loop.run()
    #expect(order.prefix(2) == ["normal", "low"])
    loop.remove(moved.token)
    loop.modify(moved.token, .normal)
  }

  @Test func `a timer that schedules itself in the past does not hold the turn`() throws {
    let loop = try EventLoop(index: 0)
    let probe = Probe()
    probe.onTimer = { tag in
      if tag == 100 { return loop.stop() }
      _ = loop.schedule(at: Instant(nanoseconds: 0), probe, tag: tag + 1)
      loop.atEndOfTurn(probe)
    }
    _ = loop.schedule(at: Instant(nanoseconds: 0), probe, tag: 0)
    loop.run()
    #expect(probe.fired.count == 101)
    #expect(probe.turns == 100)
  }

  @Test func `a descriptor that cannot be watched is an error with its cause`() throws {
    let loop = try EventLoop(index: 0)
    #expect(throws: EventLoopError.self) { try loop.add(-1, .read, handler: Probe()) }
  }
}

/// A thread's body.
private final class Work: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
