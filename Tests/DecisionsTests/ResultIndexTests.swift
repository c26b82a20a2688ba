import Testing

@testable import Decisions

struct ResultIndexTests {
  /// What the index has to be: a dictionary, whose keys may have equal hashes.
  @Test(arguments: [0, 0xFFFF_FFFF - 3, Int.max - 20_000])
  func `it is a dictionary, however the hashes meet and the numbers wrap`(base: Int) {
    var generator = SeededGenerator(seed: 7)
    var index = ResultIndex()
    var model: [UInt64: Int] = [:]
    var keys: [UInt64] = []
    func hash(_ key: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: key % 97 &* 0x4000_0001) }
    for step in 0..<10_000 {
      let key = generator.next() % 400
      let number = base + step
      keys.append(key)
      switch generator.next() % 4 {
      case 0...1:
        if let old = model[key] { index.remove(hash(key), old) }
        index.insert(hash(key), number)
        model[key] = number
      case 2:
        if let old = model.removeValue(forKey: key) { index.remove(hash(key), old) }
      default: index.remove(hash(key), base &+ Int(generator.next() % 1_000) &+ 1_000_000)
      }
      let other = generator.next() % 400
      let found = index.find(hash(other), from: base) { keys[$0] == other }
      #expect(found == model[other].map { $0 - base })
      #expect(index.count == model.count)
    }
    for (key, number) in model { index.remove(hash(key), number) }
    #expect(index.count == 0)
    let nobody = index.find(hash(1), from: base) { _ in true }
    #expect(nobody == nil)
  }

  @Test(arguments: [31, 32, 33, 64, 1_000])
  func `it grows when half of it is taken, and all are found`(count: Int) {
    var index = ResultIndex()
    for number in 0..<count { index.insert(UInt32(number), number) }
    for number in 0..<count {
      let found = index.find(UInt32(number), from: 0) { $0 == number }
      #expect(found == number)
    }
  }
}
