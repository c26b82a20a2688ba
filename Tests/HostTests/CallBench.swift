import Bytes
import Testing

@testable import Host

/// A face that notes what a call tells it, and what the host held at that moment.
final class RecordingFace: CallFace {
  private(set) var words: [String] = []
  private(set) var endings: [CallEnding] = []
  private(set) var refusals: [CallError] = []
  /// What the client says to each delta.
  var takesMore = true
  private let bench: HostBench

  init(_ bench: HostBench) { self.bench = bench }

  func callAccepted(_ call: Call) { words.append("accepted") }
  func callProgressed(_ call: Call, phase: Call.Phase) { words.append("progress \(phase)") }

  func callDelta(_ call: Call, sequence: UInt64, _ event: ProviderEvent) -> Bool {
    words.append("delta \(sequence) \(event.kind):\(String(decoding: event.text, as: UTF8.self))")
    return takesMore
  }

  func callRefused(_ call: Call, _ error: CallError) {
    refusals.append(error)
    words.append("refused \(error.code.rawValue), \(bench.core.read(now: .now()).inFlight) in flight")
  }

  func callEnded(_ call: Call, _ ending: CallEnding) {
    endings.append(ending)
    let code = ending.error.map { " \($0.code.rawValue)" } ?? ""
    let held = bench.core.read(now: .now()).inFlight
    words.append("ended \(ending.outcome)\(code), \(held) in flight, provider: \(bench.provider.words.last ?? "-")")
  }
}

extension HostBench {
  /// - Parameter total: nanoseconds.
  func call(
    _ face: RecordingFace, session: Int = 0, wantsStream: Bool = true, total: UInt64 = 60_000_000_000,
    fallbacks: [ModelEntry] = []
  ) -> Call {
    let plan = CallPlan(
      requestID: Array(#""r1""#.utf8), model: ModelEntry(id: "m-1", provider: 0, providerID: "fake"),
      fallbacks: fallbacks, requestedModel: nil, wantsStream: wantsStream, total: total, session: session,
      receivedAt: .now())
    return Call(plan: plan, routing: loop.routing ?? .empty, face: face, loop: loop)
  }

  /// Starts a call on the loop; the error is why it may not run.
  @discardableResult
  func start(_ call: Call) -> CallError? {
    var refusal: CallError?
    run {
      var body = ByteBuffer()
      body.append("{}")
      do throws(CallError) {
        try call.start(body: body.readable)
      } catch {
        refusal = error
      }
    }
    return refusal
  }
}
