internal import Bytes

/// In a worker: HTTP by way of the host. It asks for exchanges and hands on what the host tells of them.
///
/// Thread: the worker's loop.
final class WorkerUpstreamClient: UpstreamClient {
  private struct Exchange {
    var delegate: any UpstreamExchangeDelegate
    var link: WorkerLink
    var call: UInt64
    var requestID: [UInt8]
    /// Taken by the plugin, and not yet told to the host.
    var taken: UInt64 = 0
  }

  /// What was taken is told in pieces of this many bytes.
  private static let step: UInt64 = 64 << 10

  private let trail: WorkerTrail?
  private var exchanges: [UInt32: Exchange] = [:]
  private var begun: UInt32 = 0

  init(trail: WorkerTrail?) { self.trail = trail }

  func start(_ request: UpstreamRequest, delegate: any UpstreamExchangeDelegate) throws(ProviderFailure)
    -> UpstreamExchangeID
  {
    // The call that it belongs to is the one whose sink leads to the host.
    guard let sink = (delegate as? ProviderExchange)?.slot.sink as? WorkerSink else {
      throw ProviderFailure(status: ProviderStatus.state, message: "the call of the exchange is over")
    }
    repeat { begun &+= 1 } while exchanges[begun] != nil
    exchanges[begun] = Exchange(delegate: delegate, link: sink.link, call: sink.id, requestID: sink.requestID)
    sink.link.send(.exchangeRequest, call: sink.id) { [begun] in
      WorkerExchangeRequest.write(request, number: begun, authScheme: Self.authScheme(of: request), to: &$0)
    }
    return UpstreamExchangeID(rawValue: UInt64(begun))
  }

  /// Where the key would stand, as the plugin said it.
  private static func authScheme(of request: UpstreamRequest) -> String? {
    guard let credential = request.credential else { return nil }
    return credential.value == WorkerCreate.keyPlaceholder ? "header:" + credential.name : "bearer"
  }

  func cancel(_ exchange: UpstreamExchangeID) { tell(exchange, .exchangeCancel) }
  func pause(_ exchange: UpstreamExchangeID) { tell(exchange, .exchangePause) }
  func resume(_ exchange: UpstreamExchangeID) { tell(exchange, .exchangeResume) }

  private func tell(_ id: UpstreamExchangeID, _ kind: WorkerFrame.Kind) {
    let number = UInt32(truncatingIfNeeded: id.rawValue)
    guard let exchange = exchanges[number] else { return }
    exchange.link.send(kind, call: exchange.call) { $0.appendField(number) }
  }

  // MARK: - What the host tells

  func receive(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    defer { trail?.noteBetween() }
    switch message.kind {
    case .exchangeConnected:
      var fields = WorkerFieldReader(message)
      let number = try fields.u32()
      exchanges[number]?.delegate.upstreamConnected(Self.id(number))
    case .exchangeHead:
      let head = try WorkerExchangeHead(message)
      guard let exchange = exchanges[head.number] else { return }
      trail?.note(.headers, exchange.requestID)
      exchange.delegate.upstreamHead(Self.id(head.number), status: head.status, headers: head.headers)
    case .exchangeBody:
      var fields = WorkerFieldReader(message)
      let number = try fields.u32()
      let bytes = try fields.bytes(limit: .max)
      guard let exchange = exchanges[number] else { return }
      trail?.note(.body, exchange.requestID)
      exchange.delegate.upstreamBody(Self.id(number), bytes)
      took(bytes.count, of: number)
    case .exchangeEvent:
      var fields = WorkerFieldReader(message)
      let number = try fields.u32()
      let (name, id, data) = (
        try fields.bytes(limit: .max), try fields.bytes(limit: .max), try fields.bytes(limit: .max)
      )
      guard let exchange = exchanges[number] else { return }
      trail?.note(.event, exchange.requestID)
      exchange.delegate.upstreamEvent(Self.id(number), name: name, id: id, data: data)
      took(name.count + id.count + data.count, of: number)
    default:
      let (number, result) = try UpstreamResult.read(message)
      guard let exchange = exchanges[number] else { return }
      tellTaken(number)
      exchanges[number] = nil
      trail?.note(.complete, exchange.requestID)
      exchange.delegate.upstreamComplete(Self.id(number), result)
    }
  }

  private static func id(_ number: UInt32) -> UpstreamExchangeID { UpstreamExchangeID(rawValue: UInt64(number)) }

  private func took(_ count: Int, of number: UInt32) {
    guard exchanges[number] != nil else { return }
    exchanges[number]?.taken += UInt64(count)
    if let taken = exchanges[number]?.taken, taken >= Self.step { tellTaken(number) }
  }

  private func tellTaken(_ number: UInt32) {
    guard let exchange = exchanges[number], exchange.taken > 0 else { return }
    exchanges[number]?.taken = 0
    exchange.link.send(.exchangeCredit, call: exchange.call) { $0.appendField(exchange.taken) }
  }
}
