import Decisions
import JSON

/// Asks one provider for its models, once. Thread: its loop's.
final class ModelListing: ProviderCallSink, TimerTarget {
  /// How long a provider may take to list its models.
  static let milliseconds: UInt64 = 10_000
  static let modelsLimit = 5_000

  enum Outcome {
    case listed([ModelEntry])
    /// The provider has no list of its own.
    case unsupported
    case failed(String)
  }

  private enum State {
    case idle
    case opening
    case running(ProviderCallID)
    case ended
  }

  private let provider: any ProviderInstance
  private let index: Int
  private let loop: EventLoop
  private let connectNanoseconds: UInt64
  private let onEnd: (Outcome) -> Void
  private var state = State.idle
  private var models: [ModelEntry] = []
  private var malformed = 0
  private var timer: TimerID?

  /// - Parameters:
  ///   - index: the provider's number in the registry.
  ///   - onEnd: called once, on the loop.
  init(
    of provider: any ProviderInstance, index: Int, on loop: EventLoop, connectNanoseconds: UInt64,
    onEnd: @escaping (Outcome) -> Void
  ) {
    self.provider = provider
    self.index = index
    self.loop = loop
    self.connectNanoseconds = connectNanoseconds
    self.onEnd = onEnd
  }

  func start() {
    state = .opening
    let deadline = loop.now.advanced(milliseconds: Self.milliseconds)
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    let id: StaticString = "models"
    let request = ProviderRequest(
      kind: .models, wantsStream: false, attempt: 1, deadline: deadline, connectTimeoutNanoseconds: connectNanoseconds,
      requestID: UnsafeRawBufferPointer(start: id.utf8Start, count: id.utf8CodeUnitCount), model: empty,
      bodySchema: "", body: empty)
    do {
      let opened = try provider.open(request, sink: self, on: loop)
      guard case .opening = state else { return }
      state = .running(opened)
      timer = loop.schedule(at: deadline, self, tag: 0)
    } catch {
      end(error.status == ProviderStatus.unsupported ? .unsupported : .failed(error.message))
    }
  }

  func providerEvent(_ event: ProviderEvent) -> ProviderFlow {
    guard event.kind == .model, models.count < Self.modelsLimit else { return .proceed }
    guard let view = try? JSONView(parsing: event.text),
      let model = ModelEntry(JSONValue(view), provider: index, providerID: provider.information.id)
    else {
      malformed += 1
      return .proceed
    }
    models.append(model)
    return .proceed
  }

  func providerPhase(_ phase: ProviderPhase) {}

  func providerDone(_ end: ProviderEnd) {
    switch end {
    case .succeeded where malformed > 0 && models.isEmpty:
      self.end(.failed("none of the \(malformed) models it listed has a usable id"))
    case .succeeded: self.end(.listed(models))
    case .cancelled: self.end(.failed("the provider gave the listing up"))
    case .failed(let failure):
      self.end(failure.status == ProviderStatus.unsupported ? .unsupported : .failed(failure.message))
    }
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    guard case .running(let id) = state else { return }
    provider.release(id, reason: .deadline, on: loop)
    end(.failed("no list within \(Self.milliseconds / 1000) s"))
  }

  private func end(_ outcome: Outcome) {
    if case .ended = state { return }
    state = .ended
    if let timer { _ = loop.cancel(timer) }
    timer = nil
    onEnd(outcome)
  }
}
