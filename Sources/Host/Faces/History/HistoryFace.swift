import Bytes
import JSON
import Wire

/// `/history` (docs/protocol.md): the past of a metric, or which metrics have one.
enum HistoryFace {
  static let path = "/history"

  /// nil: nothing is served at this path.
  static func route(at path: String) -> Route? { path == Self.path ? Route(answer: decide) : nil }

  /// What is wrong with the question is said before the database is troubled with it.
  private static func decide(_ head: HTTPRequestHead, _ loop: HostLoop) -> HTTPDecision {
    guard let history = loop.services.history else {
      return .reply(.error(404, "no history is kept: storage.kind is \"memory\""))
    }
    let query: HistoryQuery?
    do throws(HistoryQuery.Malformed) {
      query = try HistoryQuery(
        head.query, now: History.wallMilliseconds(), sample: Int64(clamping: history.sampleMilliseconds))
    } catch {
      return .reply(.error(400, error.message))
    }
    guard let query else { return .reply(json(listing(history))) }
    return .handle(HistoryQuestion(query, history, loop), bodyBytesLimit: 0)
  }

  private static func json(_ body: String) -> HTTPReply {
    HTTPReply(status: 200, body: body, headers: [("Cache-Control", "no-store")])
  }

  static func reply(_ result: Result<HistoryAnswer, HistoryFault>) -> HTTPReply {
    switch result {
    case .success(let answer): json(text(answer))
    case .failure(.tooMany(let series, let points, let limit)):
      .error(400, refusal(.tooMany(series: series, points: points, limit: limit)))
    case .failure(let fault): .error(503, refusal(fault))
    }
  }

  /// Which file it is, is no business of whoever may read its figures.
  private static func refusal(_ fault: HistoryFault) -> String {
    "\(fault.message); \(fault.remedy(path: "storage.path"))"
  }

  // MARK: - Bodies

  private static func listing(_ history: History) -> String {
    let metrics = HistoryMetric.all.map { metric in
      JSONValue.object([
        .init("name", .string(metric.name)), .init("unit", .string(metric.unit)),
        .init("labels", .array(metric.labels.map(JSONValue.string))),
      ])
    }
    return JSONValue.object([
      .init("metrics", .array(metrics)),
      .init("sample_seconds", .double(Double(history.sampleMilliseconds) / 1_000)),
      .init("keep_days", .integer(Int64(history.keepDays))),
      .init("points_limit", .integer(HistoryQuery.pointsLimit)),
    ]).text + "\n"
  }

  static func text(_ answer: HistoryAnswer) -> String {
    let query = answer.query
    var body = ByteBuffer()
    body.append("{\"metric\":")
    body.appendJSON(string: query.metric.name)
    body.append(",\"unit\":")
    body.appendJSON(string: query.metric.unit)
    for (name, value) in [("from", query.from), ("to", query.to), ("step", query.step / 1_000)] {
      body.append(",\"\(name)\":")
      body.appendDecimal(value)
    }
    body.append(",\"series\":[")
    for (index, series) in answer.series.enumerated() {
      if index > 0 { body.append(",") }
      append(series, query, to: &body)
    }
    body.append("]}\n")
    return body.string()
  }

  private static func append(_ series: HistoryAnswer.Series, _ query: HistoryQuery, to body: inout ByteBuffer) {
    let labels = zip(query.metric.labels, series.values).map { JSONValue.Member($0, .string($1)) }
    body.append("{\"labels\":")
    JSONValue.object(labels).write(to: &body)
    body.append(",\"points\":[")
    var at = query.from
    for (index, point) in series.points.enumerated() {
      body.append(index > 0 ? ",[" : "[")
      body.appendDecimal(at)
      body.append(",")
      if let point { body.appendJSON(double: point) } else { body.append("null") }
      body.append("]")
      at += query.step
    }
    body.append("]}")
  }
}

/// One question under way: the history's thread answers, the loop sends it. Thread: the loop's.
final class HistoryQuestion: HTTPRequestHandler, TimerTarget {
  /// Then nobody waits for the disk any longer.
  static let patienceMilliseconds: UInt64 = 10_000

  private let query: HistoryQuery
  private let history: History
  private let loop: HostLoop
  private var answer: HTTPAnswer?
  private var timer: TimerID?

  init(_ query: HistoryQuery, _ history: History, _ loop: HostLoop) {
    self.query = query
    self.history = history
    self.loop = loop
  }

  func began(_ answer: HTTPAnswer) { self.answer = answer }

  func bodyEnded() {
    let mailbox = HistoryMailbox(self, loop.eventLoop)
    guard history.ask(query, mailbox.put) else {
      return finish(.error(503, "too many questions to the history wait, or the host is starting; ask again"))
    }
    timer = loop.eventLoop.schedule(
      at: loop.now.advanced(milliseconds: Self.patienceMilliseconds), self, tag: 0)
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    finish(.error(503, "the history did not answer in \(Self.patienceMilliseconds / 1_000) s: its disk is slow"))
  }

  fileprivate func received(_ result: Result<HistoryAnswer, HistoryFault>) { finish(HistoryFace.reply(result)) }

  private func finish(_ reply: HTTPReply) {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
    let answer = self.answer
    self.answer = nil
    answer?.send(reply)
  }

  func clientLeft() {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
    answer = nil
  }

  /// The answer comes soon: it may be sent.
  func drain(isOver: Bool) {
    if isOver { finish(.error(503, "the host is shutting down")) }
  }

  func received(_ piece: UnsafeRawBufferPointer) {}
  func backlogCleared() {}
  var heldBytes: Int { 0 }
}

/// Brings an answer from the history's thread to the question's loop.
///
/// `@unchecked Sendable`: the question is only touched on its loop; a loop that has stopped drops it.
private final class HistoryMailbox: @unchecked Sendable {
  private let question: HistoryQuestion
  private let eventLoop: EventLoop

  init(_ question: HistoryQuestion, _ eventLoop: EventLoop) {
    self.question = question
    self.eventLoop = eventLoop
  }

  /// Thread: any.
  @Sendable func put(_ result: Result<HistoryAnswer, HistoryFault>) {
    let question = self.question
    eventLoop.submitPastBound(.work { question.received(result) })
  }
}
