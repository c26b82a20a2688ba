import Testing

@testable import Decisions

private func look(
  _ subject: String, _ sight: AlertEpisode.Sight, _ policy: AlertEpisode.Policy = .state, name: String = "rule",
  message: String = "so"
) -> AlertBook.Look {
  AlertBook.Look(name, subject, sight, policy, message: message, remedy: "do")
}

private func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

struct AlertBookTests {
  @Test func `what is raised has its time, the words of the last bad look, and its severity`() throws {
    var book = AlertBook()
    #expect(book.see([look("a", .clear)], now: at(1), wall: 1_000) == [])
    let told = book.see([look("a", .warning, message: "first")], now: at(2), wall: 2_000)
    #expect(
      told == [
        AlertBook.Transition(at: 2_000, name: "rule", subject: "a", severity: .warning, message: "first", remedy: "do")
      ])
    _ = book.see([look("a", .warning, message: "second")], now: at(3), wall: 3_000)
    let alert = try #require(book.active.first)
    #expect(alert.message == "second" && alert.since == 2_000 && alert.severity == .warning)
    let over = book.see([look("a", .clear, message: "well")], now: at(4), wall: 4_000)
    #expect(over.map(\.severity) == [.info] && over[0].message == "well" && over[0].remedy.isEmpty)
    #expect(book.active.isEmpty && book.recent.map(\.at) == [4_000, 2_000])
  }

  @Test func `the worst comes first, then the oldest`() {
    var book = AlertBook()
    _ = book.see([look("a", .warning), look("b", .clear), look("c", .clear)], now: at(1), wall: 1)
    _ = book.see([look("a", .warning), look("b", .warning), look("c", .critical)], now: at(2), wall: 2)
    #expect(book.active.map(\.subject) == ["c", "a", "b"])
    #expect(book.severity("rule", "c") == .critical && book.severity("rule", "d") == nil)
  }

  @Test func `a subject that is looked at no longer is over at once, and begins anew when it comes back`() {
    var book = AlertBook()
    _ = book.see([look("a", .critical, .level), look("b", .clear)], now: at(1), wall: 1)
    let told = book.see([look("b", .clear)], now: at(2), wall: 2)
    #expect(told.map(\.subject) == ["a"] && told.map(\.severity) == [.info])
    #expect(book.active.isEmpty)
    #expect(book.see([look("a", .critical, .level)], now: at(3), wall: 3).map(\.severity) == [.warning, .critical])
  }

  @Test func `two rules about one subject are two alerts`() {
    var book = AlertBook()
    _ = book.see([look("a", .warning, name: "x"), look("a", .warning, name: "y")], now: at(1), wall: 1)
    #expect(book.active.map(\.name) == ["x", "y"])
  }

  @Test(arguments: [(49, 98), (50, 100), (51, 100)])
  func `a hundred of the past are kept`(episodes: Int, kept: Int) {
    var book = AlertBook()
    for episode in 0..<episodes {
      let second = UInt64(episode) * 2
      _ = book.see([look("a", .warning)], now: at(second), wall: second)
      _ = book.see([look("a", .clear)], now: at(second + 1), wall: second + 1)
    }
    #expect(book.recent.count == kept && book.recent.first?.at == UInt64(episodes) * 2 - 1)
  }
}
