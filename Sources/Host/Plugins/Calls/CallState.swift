internal import ProviderContract

/// What any thread may know of a call slot, in one atomic word: 32 bits of generation and these flags.
///
/// free → live (open) → ended (`done` was accepted) → free with the next generation (closed).
struct CallState {
  static let live: UInt64 = 1
  static let ended: UInt64 = 2
  /// The host cancelled the call, or failed it: emits are answered with PRV_CANCELLED.
  static let cancelled: UInt64 = 4
  /// The sink asked for a pause.
  static let paused: UInt64 = 8
  /// An emit was answered with PRV_PAUSE, so call_resume has to come.
  static let owesResume: UInt64 = 16
  /// call_open did not accept the call.
  static let refused: UInt64 = 32

  var word: UInt64

  @inline(__always)
  init(_ word: UInt64) { self.word = word }

  @inline(__always)
  init(generation: UInt32, _ flags: UInt64) { word = UInt64(generation) << 32 | flags }

  @inline(__always) var generation: UInt32 { UInt32(truncatingIfNeeded: word &>> 32) }
  @inline(__always) var isLive: Bool { word & Self.live != 0 }
  @inline(__always) var isFree: Bool { word & (Self.live | Self.ended) == 0 }
  @inline(__always) var isCancelled: Bool { word & Self.cancelled != 0 }
  @inline(__always) var isPaused: Bool { word & Self.paused != 0 }
  @inline(__always) var owesResume: Bool { word & Self.owesResume != 0 }

  /// Whether `handle` means this call, and it may still emit.
  @inline(__always)
  func accepts(_ handle: UInt64) -> Bool { isLive && generation == CallHandle.generation(handle) }

  /// How far the call is that `handle` means. Opening counts as open: the plugin may do the same in both.
  func stage(of handle: UInt64) -> CallStage {
    guard !isFree, generation == CallHandle.generation(handle) else { return .closed }
    if isLive { return .open }
    return word & Self.refused != 0 ? .refused : .done
  }

  /// Whether `handle` means this call, and it was not closed.
  @inline(__always)
  func holds(_ handle: UInt64) -> Bool { !isFree && generation == CallHandle.generation(handle) }
}
