import CProviderABI
import Wire

// An exchange that a script answers: one step of the queue each, so that whatever else happens can come in between.
extension MockExchange {
  func serve(_ upstream: MockUpstream) {
    mock.enqueue(
      .work { [self] in
        guard !isAborted, !isComplete else { return }
        let answer = upstream.answer(to: self)
        script = answer
        steps = answer.steps[...]
        if answer.status == 0 { stall() } else { later { self.sendHead() } }
      }, of: call)
  }

  private func sendHead() {
    guard let script else { return }
    let type = script.headers.first { $0.name.lowercased() == "content-type" }?.value ?? ""
    // As the host does: only a good answer that says so is read as events.
    if wantsEvents, (200..<300).contains(script.status), type.lowercased().hasPrefix("text/event-stream") {
      parser = SSEParser()
    }
    answer(status: script.status, headers: script.headers.map { ($0.name, $0.value) })
    later { self.sendNext() }
  }

  /// Does `work` from the queue, after a wait that the seed draws, and not while the call is paused.
  private func later(after nanoseconds: UInt64 = 0, _ work: @escaping () -> Void) {
    let delay = nanoseconds + mock.drawDelay()
    let queued = { [self] in
      mock.enqueue(
        .work { [self] in
          wait = nil
          guard !isAborted, !isComplete else { return }
          if parent.isPaused { held = work } else { work() }
        }, of: call)
    }
    if delay == 0 { queued() } else { wait = mock.alarm(at: mock.nowNanoseconds + delay, queued) }
  }

  /// After a pause: what waited is sent.
  func goOn() {
    guard let work = held else { return }
    held = nil
    later(work)
  }

  private func sendNext() {
    guard let script else { return }
    guard let step = steps.popFirst() else { return complete(httpStatus: script.status) }
    switch step {
    case .bytes(let bytes):
      if deliver(bytes) { later { self.sendNext() } }
    case .wait(let nanoseconds): later(after: nanoseconds) { self.sendNext() }
    case .stall: stall()
    case .reset:
      complete(status: PRV_E_NETWORK, httpStatus: script.status, message: "connection reset by the mock upstream")
    }
  }

  /// Nothing comes any more: the idle clock that the plugin or the host set runs out.
  private func stall() {
    guard let script, idleNanoseconds > 0 else { return }
    wait = mock.alarm(at: mock.nowNanoseconds + idleNanoseconds) { [self] in
      mock.enqueue(
        .work { [self] in
          guard !isAborted else { return }
          complete(status: PRV_E_TIMEOUT, httpStatus: script.status, message: "nothing came from the mock upstream")
        }, of: call)
    }
  }

  /// False: the answer ended here.
  private func deliver(_ bytes: [UInt8]) -> Bool {
    bytesSent += bytes.count
    guard parser != nil else {
      if !bytes.isEmpty { send(bytes: bytes) }
      return true
    }
    var events: [(name: String, data: [UInt8])] = []
    let isGood = bytes.withUnsafeBytes { bytes in
      do throws(SSEError) {
        try parser!.feed(bytes) { events.append((String(decoding: $0.name, as: UTF8.self), Array($0.data))) }
        return true
      } catch {
        return false
      }
    }
    guard isGood else {
      complete(status: PRV_E_LIMIT, httpStatus: script?.status ?? 0, message: "an event is too long")
      return false
    }
    for event in events where !isAborted && !isComplete { send(data: event.data, named: event.name) }
    return true
  }
}
