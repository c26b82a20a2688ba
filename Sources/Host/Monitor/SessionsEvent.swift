import Bytes

/// Clients that said hello: the event `sessions`.
struct SessionsEvent {
  private let sessions: [SessionSummary]
  private let total: Int
  private let clock: WallClock

  init(_ views: [LoopView], _ clock: WallClock) {
    sessions = Array(views.flatMap(\.sessions).sorted(by: LoopView.goesBefore).prefix(LoopView.rowsLimit))
    total = views.reduce(0) { $0 + $1.sessionsTotal }
    self.clock = clock
  }

  func write(to buffer: inout ByteBuffer) {
    buffer.append("{\"total\":")
    buffer.appendDecimal(total)
    buffer.append(",\"sessions\":[")
    for (index, session) in sessions.enumerated() {
      if index > 0 { buffer.append(",") }
      write(session, to: &buffer)
    }
    buffer.append("]}")
  }

  private func write(_ session: SessionSummary, to buffer: inout ByteBuffer) {
    buffer.append("{\"id\":")
    buffer.appendDecimal(session.number)
    buffer.append(",\"principal\":")
    if let name = session.principal { buffer.appendJSON(string: name) } else { buffer.append("null") }
    buffer.append(",\"peer\":")
    buffer.appendJSON(string: "\(session.peer)")
    buffer.append(",\"since\":")
    buffer.appendDecimal(clock.milliseconds(of: session.openedAt))
    buffer.append(",\"in_flight\":")
    buffer.appendDecimal(session.inFlight)
    buffer.append(",\"idle_ms\":")
    buffer.appendDecimal(session.inFlight > 0 ? 0 : clock.age(of: session.heardAt))
    buffer.append(session.isCongested ? ",\"is_congested\":true}" as StaticString : ",\"is_congested\":false}")
  }
}
