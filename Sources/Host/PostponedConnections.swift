/// Connections that have had their share of a turn and have more. A few go on in each turn, in the order in which they
/// came: however many send more than their share, a turn stays short for all others. Thread: the loop's.
final class PostponedConnections: TurnEndHandler {
  /// With the share of each (`ConnectionLimits.messagesPerTurn`) some hundred microseconds of a turn.
  static let perTurn = 8

  private let eventLoop: EventLoop
  private var queue: [Connection] = []
  /// How many of the queue have gone on.
  private var first = 0
  private var isScheduled = false

  init(_ eventLoop: EventLoop) { self.eventLoop = eventLoop }

  func add(_ connection: Connection) {
    queue.append(connection)
    schedule()
  }

  private func schedule() {
    guard !isScheduled else { return }
    isScheduled = true
    eventLoop.atEndOfTurn(self)
  }

  func turnEnded() { eventLoop.enqueue(.work { [self] in goOn() }) }

  private func goOn() {
    isScheduled = false
    let last = min(first + Self.perTurn, queue.count)
    while first < last {
      let connection = queue[first]
      first += 1
      connection.goOn()
    }
    if first == queue.count {
      queue.removeAll(keepingCapacity: queue.capacity <= 1_024)
      first = 0
    } else {
      // What has gone on is forgotten when it is most of the queue, so that a queue never empty does not grow.
      if first > queue.count / 2, first >= 1_024 {
        queue.removeFirst(first)
        first = 0
      }
      schedule()
    }
  }
}
