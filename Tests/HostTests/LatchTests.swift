import Testing

@testable import Host

/// A value between two threads.
@Suite struct LatchTests {
  @Test func `whoever waits gets the first value, before and after it is there`() {
    let latch = Latch<Int>()
    let waited = Latch<Int?>()
    PluginBench.elsewhere { latch.put(1) }
    latch.put(2)
    PluginBench.elsewhere { waited.put(latch.wait(milliseconds: 20_000)) }
    #expect(waited.wait(milliseconds: 20_000) == 1)
    #expect(latch.wait(milliseconds: 0) == 1)
  }

  @Test func `a wait ends when nothing comes`() {
    #expect(Latch<Int>().wait(milliseconds: 0) == nil)
    #expect(Latch<Int>().wait(milliseconds: 1) == nil)
  }
}
