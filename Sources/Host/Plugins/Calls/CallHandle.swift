/// The parts of a prv_call, prv_timer or prv_exchange: 32 bits of generation, 8 of loop, 20 of slot, 4 of the timer or
/// exchange within the slot. Generations begin at 1, so no handle is 0 (C6).
enum CallHandle {
  static let loopsLimit = 1 << 8
  static let slotsLimit = 1 << 20
  static let partsLimit = 1 << 4

  @inline(__always)
  static func make(generation: UInt32, loop: Int, slot: Int, part: Int = 0) -> UInt64 {
    UInt64(generation) << 32 | UInt64(truncatingIfNeeded: loop) << 24 | UInt64(truncatingIfNeeded: slot) << 4
      | UInt64(truncatingIfNeeded: part)
  }

  @inline(__always)
  static func generation(_ handle: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: handle &>> 32) }
  @inline(__always)
  static func loop(_ handle: UInt64) -> Int { Int(truncatingIfNeeded: handle &>> 24 & 0xFF) }
  @inline(__always)
  static func slot(_ handle: UInt64) -> Int { Int(truncatingIfNeeded: handle &>> 4 & 0xF_FFFF) }
  @inline(__always)
  static func part(_ handle: UInt64) -> Int { Int(truncatingIfNeeded: handle & 0xF) }

  /// The generation after `generation`; never 0.
  @inline(__always)
  static func next(_ generation: UInt32) -> UInt32 { generation == .max ? 1 : generation &+ 1 }
}
