import Testing

@testable import ProviderContract

@Suite struct CallTrailTests {
  private func filled(_ count: Int, capacity: Int) -> [UInt64] {
    let trail = CallTrail(capacity: capacity)
    for number in 0..<count { trail.record(.emit, handle: UInt64(number), nanoseconds: 0) }
    return trail.entries.map(\.handle)
  }

  @Test func `the last entries are kept, oldest first`() {
    #expect(filled(0, capacity: 4) == [])
    #expect(filled(3, capacity: 4) == [0, 1, 2])
    #expect(filled(4, capacity: 4) == [0, 1, 2, 3])
    #expect(filled(5, capacity: 4) == [1, 2, 3, 4])
    #expect(filled(5, capacity: 1) == [4])
  }

  @Test func `another reader of the same memory sees what was recorded`() throws {
    let bytes = CallTrail.bytes(capacity: 8)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 8)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    CallTrail(capacity: 8, memory: memory).record(.callOpen, handle: 3, nanoseconds: 5_000)
    let entry = try #require(CallTrail(capacity: 8, memory: memory).entries.first)
    #expect(entry.function == .callOpen)
    #expect(entry.handle == 3)
    #expect(entry.description.hasPrefix("5 µs host→plugin call_open handle=3 thread="))
  }

  @Test func `every function has its own number and name`() {
    #expect(Set(ABIFunction.allCases.map(\.description)).count == ABIFunction.allCases.count)
    #expect(ABIFunction.emit.isHosts && !ABIFunction.postedFunction.isHosts)
  }
}
