/// One HTTP exchange as it was recorded, in a text that people can read and write.
///
///     # a comment
///     > POST /chat/completions
///     < 200
///     < Content-Type: text/event-stream
///     | data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}
///     |
///     ! wait 250
///     | data: [DONE]
///     |
///
/// `>` begins an exchange: the method, and what the path ends with. `<` gives the status, then headers. `|` is a line of
/// the body, with its line end; `x` is bytes in hexadecimal. `!` is what the connection does: `wait MILLISECONDS`, `stall`,
/// `reset`. Each stretch of body lines is one piece.
///
/// A file that ends in `.sse` is a stream as it came over the wire, answered to `POST …/chat/completions`.
public struct RecordedExchange: Sendable, Equatable {
  public var method: String
  /// What the URL's path ends with.
  public var path: String
  public var answer: UpstreamAnswer

  public init(method: String, path: String, answer: UpstreamAnswer) {
    self.method = method
    self.path = path
    self.answer = answer
  }

  /// The bare stream of a `.sse` file.
  public init(stream bytes: [UInt8]) {
    self.init(
      method: "POST", path: "/chat/completions",
      answer: UpstreamAnswer(headers: [("Content-Type", "text/event-stream")], steps: [.bytes(bytes)]))
  }

  /// Reads a recording.
  public static func parse(_ text: String) throws(RecordingError) -> [RecordedExchange] {
    var parser = RecordingParser()
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      try parser.take(line, number: index + 1)
    }
    return try parser.end()
  }
}

/// What is wrong with a recording, and where.
public struct RecordingError: Error, Equatable, CustomStringConvertible {
  public var line: Int
  public var message: String

  public init(line: Int, message: String) {
    self.line = line
    self.message = message
  }

  public var description: String { "line \(line) of the recording: \(message)" }
}

private struct RecordingParser {
  private var exchanges: [RecordedExchange] = []
  private var hasStatus = false
  private var piece: [UInt8] = []
  private var number = 0

  mutating func take(_ line: Substring, number: Int) throws(RecordingError) {
    self.number = number
    if line.isEmpty || line.hasPrefix("#") { return }
    let rest = line.dropFirst().hasPrefix(" ") ? line.dropFirst(2) : line.dropFirst()
    switch line.first {
    case ">": try begin(rest)
    case "<": try head(rest)
    case "|":
      try needsStatus()
      piece += Array(rest.utf8) + [0x0A]
    case "x":
      try needsStatus()
      piece += try hexadecimal(rest)
    case "!": try connection(rest)
    default: throw fail("it begins with none of # > < | x !")
    }
  }

  mutating func end() throws(RecordingError) -> [RecordedExchange] {
    flush()
    guard !exchanges.isEmpty else { throw fail("no exchange; begin one with > METHOD PATH") }
    if !hasStatus { throw fail("the last exchange has no status; add < 200") }
    return exchanges
  }

  private func fail(_ message: String) -> RecordingError { RecordingError(line: number, message: message) }

  private mutating func begin(_ text: Substring) throws(RecordingError) {
    let words = text.split(separator: " ")
    guard words.count == 2 else { throw fail("expected > METHOD PATH") }
    guard exchanges.isEmpty || hasStatus else { throw fail("the exchange before has no status; add < 200") }
    flush()
    hasStatus = false
    exchanges.append(
      RecordedExchange(method: String(words[0]), path: String(words[1]), answer: UpstreamAnswer(steps: [])))
  }

  private mutating func head(_ text: Substring) throws(RecordingError) {
    guard !exchanges.isEmpty else { throw fail("a head before the first >") }
    let last = exchanges.count - 1
    if !hasStatus {
      guard let status = UInt32(text), (100..<600).contains(status) else {
        throw fail("expected a status of 100 to 599, found \(text)")
      }
      exchanges[last].answer.status = status
      hasStatus = true
      return
    }
    guard let colon = text.firstIndex(of: ":") else { throw fail("expected < NAME: VALUE") }
    let value = text[text.index(after: colon)...].drop { $0 == " " }
    exchanges[last].answer.headers.append((String(text[..<colon]), String(value)))
  }

  private mutating func connection(_ text: Substring) throws(RecordingError) {
    try needsStatus()
    flush()
    let last = exchanges.count - 1
    switch text.split(separator: " ").map(String.init) {
    case ["stall"]: exchanges[last].answer.steps.append(.stall)
    case ["reset"]: exchanges[last].answer.steps.append(.reset)
    case let words where words.count == 2 && words[0] == "wait":
      guard let milliseconds = UInt64(words[1]), milliseconds <= 86_400_000 else {
        throw fail("expected ! wait MILLISECONDS, at most a day")
      }
      exchanges[last].answer.steps.append(.wait(nanoseconds: milliseconds * 1_000_000))
    default: throw fail("expected ! wait MILLISECONDS, ! stall or ! reset")
    }
  }

  private func needsStatus() throws(RecordingError) {
    guard !exchanges.isEmpty, hasStatus else { throw fail("a body before its status; begin with > and <") }
  }

  private mutating func flush() {
    guard !piece.isEmpty else { return }
    exchanges[exchanges.count - 1].answer.steps.append(.bytes(piece))
    piece = []
  }

  private func hexadecimal(_ text: Substring) throws(RecordingError) -> [UInt8] {
    var result: [UInt8] = []
    for word in text.split(separator: " ") {
      guard word.utf8.count == 2, let byte = UInt8(word, radix: 16) else {
        throw fail("expected bytes of two hexadecimal digits, found \(word)")
      }
      result.append(byte)
    }
    return result
  }
}
