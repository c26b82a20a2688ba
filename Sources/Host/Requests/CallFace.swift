/// Who renders a call for its client. Every function is called on the call's loop.
protocol CallFace: AnyObject {
  func callAccepted(_ call: Call)
  func callProgressed(_ call: Call, phase: Call.Phase)
  /// One piece of the answer; false: the client cannot take more for now, and `Call.resume` follows when it can.
  func callDelta(_ call: Call, sequence: UInt64, _ event: ProviderEvent) -> Bool
  /// Its wait for a permit was in vain: nothing ran. Instead of `callEnded`.
  func callRefused(_ call: Call, _ error: CallError)
  /// The last function for this call. Its exchanges are aborted and its permit is back.
  func callEnded(_ call: Call, _ ending: CallEnding)
}
