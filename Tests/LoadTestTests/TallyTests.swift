import Testing

@testable import LoadTest

struct TallyTests {
  private func error(_ code: String, _ message: String = "m") -> CallEnd {
    .error(code: code, message: message, retryAfterSeconds: nil)
  }

  @Test func `each kind of end is counted once, and all of them are the calls`() {
    var tally = Tally()
    for end in [.success, .success, .wrongContent("first"), .wrongContent("second"), error("A")] { tally.add(end) }
    #expect(tally.calls == 5 && tally.successes == 2 && tally.wrongContents == 2 && tally.errors == 1)
    #expect(tally.successPercent == 40 && tally.errorPercent == 20 && tally.firstWrongContent == "first")
  }

  @Test func `without calls there are no shares`() {
    #expect(Tally().successPercent == nil && Tally().errorPercent == nil)
  }

  @Test func `errors are listed by code with what the first one said`() {
    var tally = Tally()
    for end in [error("A", "one"), error("B", "two"), error("A", "three")] { tally.add(end) }
    #expect(tally.errorCodes["A"] == Tally.ErrorCount(count: 2, firstMessage: "one"))
    #expect(tally.errorCodes["B"] == Tally.ErrorCount(count: 1, firstMessage: "two"))
  }

  @Test(arguments: [31, 32, 33, 40]) func `codes beyond the limit share one entry`(codes: Int) {
    var tally = Tally()
    for _ in 0..<2 { for code in 0..<codes { tally.add(error("C\(code)")) } }
    let over = max(0, codes - Tally.codesLimit)
    #expect(tally.errors == codes * 2)
    #expect(tally.errorCodes.count == min(codes, Tally.codesLimit) + (over > 0 ? 1 : 0))
    #expect(tally.errorCodes[Tally.restCode]?.count ?? 0 == over * 2)
  }
}
