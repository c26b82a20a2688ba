internal import CProviderABI
internal import ProviderContract

// The call's upstream exchanges: they stop when it pauses, and end before it closes.
extension CallSlot {
  /// prv_http_v1.request for the call that `handle` names. Thread: any.
  func request(
    _ handle: UInt64, _ source: UnsafePointer<prv_http_request>, _ callbacks: UnsafePointer<prv_http_callbacks>,
    _ argument: UnsafeMutableRawPointer?
  ) -> (status: Int32, exchange: prv_exchange) {
    let state = current
    guard state.accepts(handle) else { return (PRV_E_STALE, 0) }
    if state.isCancelled { return (PRV_CANCELLED, 0) }
    guard let client = table.upstream else { return (PRV_E_UNSUPPORTED, 0) }
    let table = copyHead(callbacks, size: callbacks.pointee.size, over: prv_http_callbacks())
    guard table.on_complete != nil else { return (PRV_E_INVALID_ARGUMENT, 0) }
    let (connectTimeout, deadline, trace) = shared.withLock {
      ($0.connectTimeoutNanoseconds, $0.deadline, $0.trace)
    }
    var request: UpstreamRequest
    do throws(HTTPRequestFault) {
      request = UpstreamRequest(
        try provider.requests.read(source), key: provider.key, connectTimeout: connectTimeout, deadline: deadline)
    } catch {
      return (error.status, 0)
    }
    request.tell(trace)
    switch reserve(handle, table, argument) {
    case .failure(let refusal): return (refusal.status, 0)
    case .success(let exchange): return start(exchange, request, client)
    }
  }

  private struct Refusal: Error { var status: Int32 }

  private func reserve(_ handle: UInt64, _ callbacks: prv_http_callbacks, _ argument: UnsafeMutableRawPointer?)
    -> Result<ProviderExchange, Refusal>
  {
    shared.withLock { shared in
      guard current.accepts(handle) else { return .failure(Refusal(status: PRV_E_STALE)) }
      var part = shared.exchanges.firstIndex { $0 == nil }
      if part == nil && shared.exchanges.count < ProviderExchange.countLimit {
        part = shared.exchanges.count
        shared.exchanges.append(nil)
      }
      guard let part else { return .failure(Refusal(status: PRV_E_LIMIT)) }
      let name = CallHandle.make(
        generation: shared.exchangeGeneration, loop: table.loop.index, slot: index, part: part)
      shared.exchangeGeneration = CallHandle.next(shared.exchangeGeneration)
      let exchange = ProviderExchange(slot: self, handle: name, callbacks: callbacks, argument: argument)
      shared.exchanges[part] = exchange
      return .success(exchange)
    }
  }

  private func start(_ exchange: ProviderExchange, _ request: UpstreamRequest, _ client: any UpstreamClient)
    -> (status: Int32, exchange: prv_exchange)
  {
    if table.loop.isCurrent {
      do throws(ProviderFailure) {
        try exchange.start(request, with: client)
      } catch {
        forget(exchange)
        return (EndReader.known(error.status), 0)
      }
    } else if !table.send(.request(self, exchange, request)) {
      forget(exchange)
      return (PRV_E_LIMIT, 0)
    }
    return (PRV_OK, exchange.handle)
  }

  /// An exchange that was asked for on another thread. Thread: loop.
  func startLate(_ exchange: ProviderExchange, _ request: UpstreamRequest) {
    guard holds(exchange), let client = table.upstream else { return }
    guard current.isLive, !current.isCancelled else {
      return exchange.complete(PRV_CANCELLED, "the call ended before its request was sent")
    }
    do throws(ProviderFailure) {
      try exchange.start(request, with: client)
    } catch {
      exchange.complete(EndReader.known(error.status), "the request could not be sent")
    }
  }

  /// prv_http_v1.cancel. Thread: any.
  func cancelExchange(_ handle: UInt64) -> Int32 {
    let part = CallHandle.part(handle)
    let exchange: ProviderExchange? = shared.withLock { shared in
      guard part < shared.exchanges.count, let exchange = shared.exchanges[part], exchange.handle == handle else {
        return nil
      }
      return exchange
    }
    guard let exchange else { return PRV_E_STALE }
    if table.loop.isCurrent {
      exchange.abort()
    } else {
      _ = table.send(.cancelExchange(self, exchange), mustKeep: true)
    }
    return PRV_OK
  }

  func cancelExchange(_ exchange: ProviderExchange) {
    if holds(exchange) { exchange.abort() }
  }

  private func holds(_ exchange: ProviderExchange) -> Bool {
    shared.withLock { $0.exchanges.contains { $0 === exchange } }
  }

  /// The exchange has completed, or never began.
  func forget(_ exchange: ProviderExchange) {
    shared.withLock { shared in
      if let part = shared.exchanges.firstIndex(where: { $0 === exchange }) { shared.exchanges[part] = nil }
    }
    if table.loop.isCurrent { close() }
  }

  func forEachExchange(_ body: (ProviderExchange) -> Void) {
    let exchanges = shared.withLock { $0.exchanges }
    for case let exchange? in exchanges { body(exchange) }
  }

  func abortExchanges() { forEachExchange { $0.abort() } }
}

// Functions that the plugin posts to the call.
extension CallSlot {
  /// prv_exec_v1.post_call. Thread: any.
  func post(_ handle: UInt64, _ job: PluginJob) -> Int32 {
    if table.loop.isCurrent {
      guard current.holds(handle) else { return PRV_E_STALE }
      wasPostedTo = true
      table.loop.enqueue(.c(job.function, job.argument))
      return PRV_OK
    }
    return shared.withLock { shared in
      guard current.holds(handle) else { return PRV_E_STALE }
      guard table.send(.callJob(self, job)) else { return PRV_E_STATE }
      shared.postedJobs += 1
      return PRV_OK
    }
  }

  /// Thread: loop.
  func run(_ job: PluginJob) {
    job.run()
    shared.withLock { $0.postedJobs -= 1 }
    close()
  }
}
