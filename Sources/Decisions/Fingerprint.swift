/// What a request asks for, as 128 bits: two requests of a session with equal fingerprints ask for the same.
public struct Fingerprint: Hashable, Sendable {
  public var high: UInt64
  public var low: UInt64

  @inlinable
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}
