/// What a request asks for, as 128 bits: two requests of a session with equal fingerprints ask for the same.
package struct Fingerprint: Hashable, Sendable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}
