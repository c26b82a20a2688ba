/// Where the results stand, by a hash of their key that nobody can choose: open addressing, linear probing.
///
/// A slot is eight bytes, so that to look for what is not there, as nearly every request does, touches one cache line.
/// Numbers of results count up; those that are here at one time span less than 2^32.
struct ResultIndex {
  private static let smallest = 64

  /// The hash above, the number and one below; 0: empty. At most half of them are taken.
  private var slots = Array(repeating: UInt64(0), count: ResultIndex.smallest)
  private(set) var count = 0

  private static func slot(_ hash: UInt32, _ number: Int) -> UInt64 {
    UInt64(hash) << 32 | UInt64(UInt64(truncatingIfNeeded: number) % 0xFFFF_FFFF &+ 1)
  }

  /// How far behind `base` the slot's number is.
  private static func distance(_ slot: UInt64, from base: Int) -> Int {
    let (number, first) = (slot & 0xFFFF_FFFF &- 1, UInt64(truncatingIfNeeded: base) % 0xFFFF_FFFF)
    return Int(number >= first ? number &- first : number &+ 0xFFFF_FFFF &- first)
  }

  /// The number with this hash for which `isIt` holds, as its distance from `base`, which no number here is before.
  @inline(__always)
  func find(_ hash: UInt32, from base: Int, _ isIt: (Int) -> Bool) -> Int? {
    let mask = slots.count &- 1
    var index = Int(hash) & mask
    while slots[index] != 0 {
      if UInt32(slots[index] >> 32) == hash {
        let distance = Self.distance(slots[index], from: base)
        if isIt(distance) { return distance }
      }
      index = (index &+ 1) & mask
    }
    return nil
  }

  /// Adds a number that is not here.
  mutating func insert(_ hash: UInt32, _ number: Int) {
    if 2 * (count + 1) > slots.count { resize(to: 2 * slots.count) }
    put(Self.slot(hash, number))
    count += 1
  }

  /// Takes a number out; nothing happens when it is not here.
  mutating func remove(_ hash: UInt32, _ number: Int) {
    let wanted = Self.slot(hash, number)
    let mask = slots.count &- 1
    var index = Int(hash) & mask
    while slots[index] != wanted {
      guard slots[index] != 0 else { return }
      index = (index &+ 1) & mask
    }
    close(index)
    count -= 1
    if slots.count > Self.smallest, 8 * count < slots.count { resize(to: slots.count / 2) }
  }

  /// Moves what follows up, so that no search ends too early (Knuth, volume 3, 6.4, algorithm R).
  private mutating func close(_ hole: Int) {
    let mask = slots.count &- 1
    var (hole, index) = (hole, hole)
    while true {
      slots[hole] = 0
      repeat {
        index = (index &+ 1) & mask
        guard slots[index] != 0 else { return }
      } while isBetween(hole, Int(slots[index] >> 32) & mask, index)
      slots[hole] = slots[index]
      hole = index
    }
  }

  /// Whether a slot's home lies behind the hole and not behind the slot, going round: then it stays.
  private func isBetween(_ hole: Int, _ home: Int, _ index: Int) -> Bool {
    hole < index ? hole < home && home <= index : hole < home || home <= index
  }

  private mutating func put(_ slot: UInt64) {
    let mask = slots.count &- 1
    var index = Int(slot >> 32) & mask
    while slots[index] != 0 { index = (index &+ 1) & mask }
    slots[index] = slot
  }

  private mutating func resize(to size: Int) {
    let before = slots
    slots = Array(repeating: 0, count: size)
    for slot in before where slot != 0 { put(slot) }
  }
}
