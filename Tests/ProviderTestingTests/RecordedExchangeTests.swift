import ProviderTesting
import Testing

@Suite struct RecordedExchangeTests {
  private func fault(_ text: String) -> RecordingError? {
    do throws(RecordingError) {
      _ = try RecordedExchange.parse(text)
      return nil
    } catch { return error }
  }

  @Test func `every kind of line is read`() throws {
    let read = try RecordedExchange.parse(
      "# c\n> POST /a\n< 429\n< Retry-After: 7\n| one\n|two\nx 00 fF\n! wait 3\n| three\n! reset\n> GET /b\n< 200\n! stall"
    )
    #expect(read.map(\.method) == ["POST", "GET"])
    #expect(read[0].answer.status == 429)
    #expect(read[0].answer.headers.map(\.name) == ["Retry-After"])
    #expect(read[0].answer.headers.map(\.value) == ["7"])
    #expect(
      read[0].answer.steps == [
        .bytes(Array("one\ntwo\n".utf8) + [0, 0xFF]), .wait(nanoseconds: 3_000_000), .bytes(Array("three\n".utf8)),
        .reset,
      ])
    #expect(read[1].answer.steps == [.stall])
  }

  @Test(arguments: [
    ("", 1), ("> GET /a", 1), ("< 200", 1), ("> GET", 1), ("> GET /a\n| x", 2), ("> GET /a\n< 99", 2),
    ("> GET /a\n< 600", 2), ("> GET /a\n< 200\n< nothing", 3), ("> GET /a\n< 200\nx 0", 3),
    ("> GET /a\n< 200\n! jump", 3),
    ("> GET /a\n< 200\n! wait x", 3), ("> GET /a\n< 200\nhello", 3), ("> GET /a\n> GET /b", 2),
  ])
  func `what is wrong is told with its line`(text: String, line: Int) {
    #expect(fault(text)?.line == line)
  }

  @Test func `faults keep the bytes before them`() {
    let answer = UpstreamAnswer(events: ["a", "bc"])
    let body = answer.body
    for offset in 0...body.count {
      #expect(answer.split(at: offset).body == body)
      #expect(answer.cut(at: offset).body == Array(body[..<offset]))
      #expect(answer.reset(at: offset).steps.last == .reset)
      #expect(answer.stalled(at: offset).steps.last == .stall)
    }
    for bytes in 1...(body.count + 1) { #expect(answer.split(every: bytes).body == body) }
    var one = SeededGenerator(seed: 3)
    var two = SeededGenerator(seed: 3)
    for _ in 0..<50 { #expect(answer.garbled(&one) == answer.garbled(&two)) }
  }
}
