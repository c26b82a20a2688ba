import Bytes
import Decisions
internal import ProviderContract

/// Asks a new instance the question that the operator configured, before it serves anybody. Thread: its loop's.
final class CanaryCall: ProviderCallSink, TimerTarget {
  /// How long an instance may take to answer.
  static let milliseconds: UInt64 = 30_000

  private enum State {
    case idle
    case opening
    case running(ProviderCallID)
    case ended
  }

  private let provider: any ProviderInstance
  private let model: String
  private let question: String
  private let loop: EventLoop
  private let connectNanoseconds: UInt64
  private let onEnd: (PluginFault?) -> Void
  private var state = State.idle
  private var answer = CallAnswer()
  private var timer: TimerID?

  /// - Parameters:
  ///   - model: as the provider names it.
  ///   - onEnd: called once, on the loop; nil: it has answered with a text and an end.
  init(
    of provider: any ProviderInstance, model: String, question: String, on loop: EventLoop, connectNanoseconds: UInt64,
    onEnd: @escaping (PluginFault?) -> Void
  ) {
    self.provider = provider
    self.model = model
    self.question = question
    self.loop = loop
    self.connectNanoseconds = connectNanoseconds
    self.onEnd = onEnd
  }

  func start() {
    state = .opening
    var body = ByteBuffer()
    body.append("{\"messages\":[{\"role\":\"user\",\"content\":")
    body.appendJSON(string: question)
    body.append("}]}")
    let deadline = loop.now.advanced(milliseconds: Self.milliseconds)
    do {
      let opened = try open(body.readable, deadline)
      guard case .opening = state else { return provider.release(opened, reason: .stop, on: loop) }
      state = .running(opened)
      timer = loop.schedule(at: deadline, self, tag: 0)
    } catch {
      end("was refused: \(error.message)")
    }
  }

  private func open(_ body: UnsafeRawBufferPointer, _ deadline: Instant) throws(ProviderFailure) -> ProviderCallID {
    let id: StaticString = "canary"
    var model = model
    let result: Result<ProviderCallID, ProviderFailure> = model.withUTF8 { name in
      let request = ProviderRequest(
        kind: .chat, wantsStream: false, attempt: 1, deadline: deadline, connectTimeoutNanoseconds: connectNanoseconds,
        requestID: UnsafeRawBufferPointer(start: id.utf8Start, count: id.utf8CodeUnitCount),
        model: UnsafeRawBufferPointer(name), bodySchema: "prv.chat/1", body: body)
      return Result { () throws(ProviderFailure) in try provider.open(request, sink: self, on: loop) }
    }
    return try result.get()
  }

  /// Gives up; nobody is told. Thread: its loop's.
  func abandon() {
    if case .running(let id) = state { provider.release(id, reason: .stop, on: loop) }
    finish()
  }

  func providerEvent(_ event: ProviderEvent) -> ProviderFlow {
    guard case .refused(let reason) = answer.take(event) else { return .proceed }
    loop.enqueue(
      .work { [self] in
        if case .running(let id) = state { provider.release(id, reason: .stop, on: loop) }
        end("sent \(reason)")
      })
    return .cancelled
  }

  func providerPhase(_ phase: ProviderPhase) {}

  func providerDone(_ end: ProviderEnd) {
    if let failure = end.failure(sawFinish: answer.finishReason != nil, sawAnswer: answer.hasContent) {
      return self.end("failed: \(failure.message)")
    }
    self.end(answer.hasContent ? nil : "came back empty")
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    guard case .running(let id) = state else { return }
    provider.release(id, reason: .deadline, on: loop)
    end("got no answer within \(Self.milliseconds / 1000) s")
  }

  private func end(_ fault: String?) {
    if case .ended = state { return }
    finish()
    onEnd(
      fault.map {
        PluginFault("its canary call \($0)", remedy: "correct the plugin, or the provider's canary question")
      })
  }

  private func finish() {
    state = .ended
    if let timer { _ = loop.cancel(timer) }
    timer = nil
  }
}
