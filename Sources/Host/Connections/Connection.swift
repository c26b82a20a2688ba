import Bytes
import Decisions
import Glibc

/// Who makes sense of a connection's bytes: HTTP first, a WebSocket link after the upgrade.
protocol ConnectionHandler: AnyObject {
  /// Bytes came, or the backlog is gone and some were left. Consumes what is whole; the rest comes again with more.
  func received(_ buffer: inout ByteBuffer, on connection: Connection)
  /// The client took what was queued for it; whatever was paused may go on.
  func backlogCleared()
  /// Bytes of memory it keeps for the connection, beside the connection's own buffers.
  var heldBytes: Int { get }
  /// The host has no room for what the connection holds: end it, with a last word. Nothing waits to be sent.
  func shed(_ reason: String)
  /// The host stops: end what is idle, take nothing new. `isOver`: end also what runs.
  func drain(isOver: Bool)
  /// A look for what has been idle for too long.
  func sweep()
  /// The last function for this connection, however it ended.
  func connectionClosed()
}

/// One accepted socket: bytes in, queued bytes out, closed exactly once.
///
/// | state     | reads           | writes            | leaves by                                     |
/// |-----------|-----------------|-------------------|-----------------------------------------------|
/// | securing  | the handshake   | the handshake     | what `TLSGreeting` makes of it: open, or the end |
/// | open      | to the handler  | at the turn's end | `finish`, `abort`, end or error of the socket |
/// | finishing | dropped         | what is queued    | all written: lingering                        |
/// | lingering | dropped         | shut down         | the peer's end, or 2 s                        |
/// | closed    | –               | –                 |                                               |
///
/// Only a connection with TLS is ever securing.
///
/// An idle connection owns no buffer memory: it is read into the loop's scratch and keeps only an unfinished rest.
/// Thread: the loop's.
final class Connection: DescriptorHandler, TurnEndHandler, TimerTarget {
  private enum State { case securing, open, finishing, lingering, closed }

  /// Bytes for the client; call `outboundChanged` after appending.
  var outbound = ByteBuffer()
  /// This connection's place in its loop's list.
  var slot = 0
  /// Bytes of memory it holds, when that was last looked at.
  private(set) var heldBytes = 0
  /// Whether it is here only to be told that a limit was reached.
  var wasRefused = false
  /// Who is at the other end, for the log.
  var peer = SocketAddress.unix

  let loop: HostLoop
  private var transport: Transport
  let address: Census.Address?
  private var token: DescriptorToken?
  private var handler: (any ConnectionHandler)?
  private var state = State.open
  private var inbound = ByteBuffer()
  private var interest: DescriptorInterest = .read
  private var isFlushScheduled = false
  private(set) var isCongested = false {
    didSet { if isCongested != oldValue { loop.meter?.congestion(isCongested) } }
  }
  /// Since when bytes wait in this turn to be sent; never: none do, or nothing is counted.
  private var waitsSince = Instant.never
  /// Why it ends, when that was decided before its last word.
  private var farewell: LoopMeter.Farewell?
  private var isHeld = false
  private var proceedsWhenSent = false
  private var timer: TimerID?
  /// How the client takes what is queued, while something is.
  private var pace = Pace(now: .never)
  private var standing: Standing

  /// Takes ownership of `descriptor`, which is non-blocking. With an `identity` the peer must speak TLS, and the first
  /// handler is a `TLSGreeting`.
  init(descriptor: Int32, address: Census.Address?, loop: HostLoop, identity: TLSIdentity? = nil) {
    if let identity {
      transport = .secured(TLSConnection(descriptor: descriptor, identity: identity))
      state = .securing
    } else {
      transport = .plain(descriptor)
    }
    self.address = address
    self.loop = loop
    standing = Standing(now: loop.now)
  }

  deinit {
    guard state == .closed else { preconditionFailure("a connection was dropped in \(state)") }
  }

  var isOpen: Bool { state == .open }
  /// Whether it speaks TLS.
  var isSecure: Bool { if case .secured = transport { true } else { false } }
  /// Bytes that came and that the handler has not taken.
  var unreadBytes: Int { inbound.count }

  /// Begins to read. Throws, with the descriptor closed, when the loop cannot watch it.
  func start(_ handler: any ConnectionHandler) throws(EventLoopError) {
    self.handler = handler
    loop.add(self)
    do {
      token = try loop.eventLoop.add(transport.descriptor, interest, .low, handler: self)
    } catch {
      close(.error)
      throw error
    }
  }

  /// From now on another handler makes sense of the bytes (the HTTP upgrade).
  func hand(to handler: any ConnectionHandler) { self.handler = handler }

  // MARK: - Reading

  func descriptorReady(_ ready: DescriptorInterest) {
    if state == .securing { return secure() }
    if ready.contains(.write) {
      flush(atMost: writeLimit)
      resumeReading()
    }
    guard state != .closed, interest.contains(.read) else {
      if ready.contains(.error) || ready.contains(.hangup) { close(ready.contains(.error) ? .error : .peer) }
      return
    }
    if ready.contains(.read) || ready.contains(.hangup) || ready.contains(.error) { read() }
  }

  private func read() {
    // The loop's scratch is borrowed; a small rest of before goes in front. A large one is continued where it lies, by
    // reads of its own size, so that memory grows with what has come.
    let borrowsScratch = inbound.count <= ConnectionLimits.smallRestBytes
    var buffer = borrowsScratch ? exchange(&loop.scratch) : exchange(&inbound)
    var limit = readLimit
    if borrowsScratch {
      buffer.append(inbound.readable)
      inbound.removeAll()
    } else {
      limit = min(limit, max(ConnectionLimits.smallestReadBytes, buffer.count))
    }
    let room = buffer.writable(limit)
    switch transport.read(into: room, limit: limit) {
    case .bytes(let count):
      buffer.commit(count)
      noteStanding(
        standing.received(
          count, isDrained: transport.isDrained(after: count, limit: limit), connections: loop.connections.count,
          now: loop.now))
      loop.meter?.received(bytes: count)
      hand(&buffer)
    case .ended: endOfStream()
    case .failed: close(.error)
    case .blocked: if case .secured(let tls) = transport, tls.readWaitsToWrite { waitToReadOn() }
    }
    keep(&buffer, borrowsScratch: borrowsScratch)
    accountIfHolding()
  }

  /// OpenSSL must have room for a record (`TLSConnection`).
  private var readLimit: Int {
    guard standing.isLow else { return ConnectionLimits.readBytes(connections: loop.connections.count) }
    if case .secured = transport { return ConnectionLimits.smallestReadBytes }
    return ConnectionLimits.lowReadBytes
  }

  private func hand(_ buffer: inout ByteBuffer) {
    switch state {
    case .open:
      handler?.received(&buffer, on: self)
      if state != .open { buffer.removeAll() }
    case .securing, .finishing, .lingering, .closed:
      buffer.removeAll()
    }
  }

  /// Puts the buffer back where it came from; what is left over stays with the connection.
  private func keep(_ buffer: inout ByteBuffer, borrowsScratch: Bool) {
    if state == .closed { buffer.removeAll() }
    if borrowsScratch || buffer.count <= ConnectionLimits.smallRestBytes {
      if buffer.isEmpty { inbound.removeAll(keeping: 0) } else { inbound.append(buffer.readable) }
    } else {
      inbound = exchange(&buffer)
    }
    guard borrowsScratch else { return }
    buffer.removeAll(keeping: 4 * ConnectionLimits.readBytes)
    loop.scratch = exchange(&buffer)
  }

  private func endOfStream() {
    // A client that shuts its side down gets no more than what was on its way: WebSocket ends with close frames. That is
    // also what this turn has said.
    flush(atMost: .max)
    guard state != .closed else { return }
    _ = transport.close()
    close(.peer)
  }

  // MARK: - Writing

  /// Sends what was appended to `outbound` at the end of this turn, so that many frames share one system call.
  func outboundChanged() {
    if outbound.count > pauseBytes, !isCongested, state == .open {
      isCongested = true
      watch(interest.subtracting(.read))
      noteStanding(standing.exceeded(connections: loop.connections.count, now: loop.now))
    }
    guard !isFlushScheduled, state != .closed else { return }
    isFlushScheduled = true
    if loop.meter != nil, waitsSince == .never { waitsSince = .now() }
    loop.eventLoop.atEndOfTurn(self)
  }

  func turnEnded() {
    isFlushScheduled = false
    flush(atMost: writeLimit)
  }

  private var writeLimit: Int { standing.isLow ? ConnectionLimits.lowWriteBytes : .max }

  /// Gives the socket what is queued, up to a limit; what it does not take is given when it does.
  private func flush(atMost limit: Int) {
    var left = limit
    while !outbound.isEmpty, state != .closed {
      guard left > 0 else { return waitToWrite() }
      switch transport.write(UnsafeRawBufferPointer(rebasing: outbound.readable.prefix(left))) {
      case .bytes(let count):
        outbound.consume(count)
        left -= count
        pace.move(count)
        loop.meter?.sent(bytes: count)
      case .blocked: return waitToWrite()
      case .ended, .failed: return close(.error)
      }
    }
    guard state != .closed else { return }
    countWrite()
    returnBlock()
    if heldBytes != 0 { account() }
    watch(interest.subtracting(.write))
    if state == .finishing { return linger() }
    if state == .open { disarm() }
    clearBacklog()
    if proceedsWhenSent { endHold() }
  }

  /// All that waited is with the kernel.
  private func countWrite() {
    guard waitsSince != .never else { return }
    loop.meter?.observe(.write, Instant.now().nanoseconds(since: waitsSince))
    waitsSince = .never
  }

  // MARK: - A handler that takes no more for now

  /// Reads nothing more until `proceed`.
  func hold() {
    isHeld = true
    watch(interest.subtracting(.read))
  }

  /// Once all that is queued was sent, hands on what was left unread, not before the next turn; then reads on.
  func proceed() {
    proceedsWhenSent = true
    outboundChanged()
  }

  /// The handler has had its share of the turn: the rest of what was read comes again when others have had theirs.
  func postpone() {
    hold()
    noteStanding(standing.exceeded(connections: loop.connections.count, now: loop.now))
    loop.eventLoop.enqueueLow(.work { [self] in goOn() })
  }

  private func goOn() {
    isHeld = false
    guard state == .open, !isCongested else { return }
    watch(interest.union(.read))
    processRest()
  }

  private func endHold() {
    (proceedsWhenSent, isHeld) = (false, false)
    guard state == .open, !isCongested else { return }
    watch(interest.union(.read))
    if !inbound.isEmpty { processRestLater() }
  }

  // MARK: - Priority

  /// Messages that a turn may take of it.
  var messagesPerTurn: Int {
    standing.isLow ? ConnectionLimits.lowMessagesPerTurn : ConnectionLimits.messagesPerTurn
  }

  private var pauseBytes: Int { standing.isLow ? ConnectionLimits.lowPauseBytes : ConnectionLimits.pauseBytes }
  private var resumeBytes: Int { standing.isLow ? ConnectionLimits.lowResumeBytes : ConnectionLimits.resumeBytes }

  /// Somebody is at the other end of whom the host knows what for.
  func becameKnown() { standing.becameKnown() }

  private func noteStanding(_ hasChanged: Bool) {
    if hasChanged, let token { loop.eventLoop.modify(token, standing.isLow ? .low : .normal) }
  }

  /// Not from inside what has just taken the last of it.
  private func processRestLater() {
    let job = Job.work { [self] in processRest() }
    if standing.isLow { loop.eventLoop.enqueueLow(job) } else { loop.eventLoop.enqueue(job) }
  }

  /// Memory for what waits to be sent: the loop's spare block, or a new one.
  func borrowBlock() {
    swap(&outbound, &loop.spareBlock)
    outbound.reserve(ConnectionLimits.firstBlockBytes)
  }

  /// All is sent: an idle connection keeps no memory, and the loop one block for the next that speaks.
  private func returnBlock() {
    outbound.removeAll(keeping: ConnectionLimits.spareBlockBytes)
    if loop.spareBlock.allocatedBytes < outbound.allocatedBytes { swap(&outbound, &loop.spareBlock) }
    outbound.removeAll(keeping: 0)
  }

  private func waitToWrite() {
    if !interest.contains(.write) {
      pace = Pace(now: loop.now)
      watch(interest.union(.write))
    }
    if timer == nil { arm(at: pace.due(windowNanoseconds: stallNanoseconds)) }
    if outbound.count < resumeBytes { clearBacklog() }
    account()
  }

  private var stallNanoseconds: UInt64 { loop.configuration.timeouts.clientStallMilliseconds * 1_000_000 }

  /// The client has caught up: what it fed waits no longer, and neither do its bytes that were left unread.
  private func clearBacklog() {
    guard isCongested, state == .open else { return }
    isCongested = false
    handler?.backlogCleared()
    guard state == .open, !isCongested, !isHeld else { return }
    watch(interest.union(.read))
    if !inbound.isEmpty { processRestLater() }
  }

  private func processRest() {
    guard state == .open, !isCongested, !inbound.isEmpty else { return }
    var buffer = exchange(&inbound)
    hand(&buffer)
    keep(&buffer, borrowsScratch: false)
    accountIfHolding()
  }

  // MARK: - Memory

  /// After reading. What was answered is not counted: mostly it is sent at the end of the turn, and what is not is
  /// counted then.
  private func accountIfHolding() {
    if heldBytes != 0 || inbound.allocatedBytes != 0 || (handler?.heldBytes ?? 0) != 0 { account() }
  }

  /// Tells the loop what this connection holds now. May close connections, this one among them: for the end of an event.
  private func account() {
    let held = state == .closed ? 0 : inbound.allocatedBytes + outbound.allocatedBytes + (handler?.heldBytes ?? 0)
    guard held != heldBytes else { return }
    let before = heldBytes
    heldBytes = held
    loop.heldBytesChanged(of: self, from: before)
  }

  /// The host has no room for what this connection holds, which is more than any other does: it is closed. Who takes no
  /// data cannot be told why.
  func shed() {
    guard state != .closed else { return }
    let limit = loop.services.memory.limitBytes
    loop.warn(
      "Closed the connection that held the most memory",
      [
        ("code", "1008"), ("held_bytes", "\(heldBytes)"), ("limits.buffered_bytes", "\(limit)"),
        ("peer", "\(peer)"),
      ])
    inbound.removeAll(keeping: 0)
    farewell = .memory
    if state == .open, outbound.isEmpty {
      handler?.shed("limits.buffered_bytes reached: \(limit); this connection held the most")
      account()
    } else {
      close(.memory)
    }
  }

  private func watch(_ wanted: DescriptorInterest) {
    guard wanted != interest, let token else { return }
    interest = wanted
    loop.eventLoop.modify(token, wanted)
  }

  // MARK: - TLS

  private func secure() {
    // Its bytes stay in the socket, so the next turn finds it ready again.
    guard loop.handshakePace.take(now: loop.now) else { return }
    guard case .secured(let tls) = transport, let greeting = handler as? TLSGreeting else {
      preconditionFailure("a connection is securing without TLS")
    }
    let result = tls.shakeHands()
    switch result {
    case .done:
      state = .open
      watch(.read)
    case .waits(let readiness): watch(readiness)
    case .nothing, .plainText, .failed: break
    }
    greeting.handshake(result)
    account()
  }

  /// The handshake came to nothing: sends `bytes` outside of TLS, if any, and ends.
  func finish(inPlainText bytes: [UInt8]) {
    guard state == .securing else { return }
    transport = .plain(transport.descriptor)
    state = .finishing
    watch(.read)
    outbound.append(bytes)
    outboundChanged()
  }

  /// Nothing can be read before OpenSSL has written: until then the socket's readiness to be read says nothing.
  private func waitToReadOn() {
    watch(interest.subtracting(.read))
    waitToWrite()
  }

  private func resumeReading() {
    guard case .secured(let tls) = transport, tls.readWaitsToWrite, state != .closed else { return }
    if state != .open || (!isCongested && !isHeld) { watch(interest.union(.read)) }
    if interest.contains(.read) { read() }
  }

  // MARK: - Time

  func timerFired(_ tag: UInt32) {
    timer = nil
    switch state {
    case .open, .finishing:
      guard interest.contains(.write) else { return }
      if case .goesOn(let askAt) = pace.judge(windowNanoseconds: stallNanoseconds, now: loop.now) {
        return arm(at: askAt)
      }
      loop.warn(
        "Closed a client that takes no data",
        [
          ("code", "1008"), ("client_stall_seconds", CallError.seconds(stallNanoseconds)),
          ("queued_bytes", "\(outbound.count)"), ("peer", "\(peer)"),
        ])
      close(.stalled)
    // Thousands may have been ended together.
    case .lingering: loop.eventLoop.enqueueLow(.work { [self] in close(.finished) })
    case .securing, .closed: break
    }
  }

  private func arm(at instant: Instant) {
    disarm()
    timer = loop.eventLoop.schedule(at: instant, self, tag: 0)
  }

  private func disarm() {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
  }

  // MARK: - The end

  /// Writes what is queued, then closes. What the client still sends is dropped.
  func finish() {
    guard state == .open else { return }
    state = .finishing
    watch(interest.union(.read))
    outboundChanged()
  }

  /// The host stops.
  func drain(isOver: Bool) { handler?.drain(isOver: isOver) }

  func sweep() { handler?.sweep() }

  /// Closes now; what is queued is lost.
  func abort(_ farewell: LoopMeter.Farewell) { close(farewell) }

  /// Everything was written: the peer reads it before the socket goes, or a reset would take it away again.
  private func linger() {
    guard transport.close() else { return waitToWrite() }
    // What still comes is dropped: nobody has to decrypt it.
    transport = .plain(transport.descriptor)
    state = .lingering
    shutdown(transport.descriptor, Int32(SHUT_WR))
    arm(at: loop.now.advanced(milliseconds: ConnectionLimits.lingerMilliseconds))
  }

  /// - Parameter farewell: why, unless the host has said its last word before.
  private func close(_ farewell: LoopMeter.Farewell) {
    guard state != .closed else { return }
    loop.meter?.closed(self.farewell ?? (state == .lingering ? .finished : farewell))
    if isCongested { loop.meter?.congestion(false) }
    state = .closed
    disarm()
    if let token { loop.eventLoop.remove(token) }
    token = nil
    let descriptor = transport.descriptor
    transport = .plain(-1)
    Glibc.close(descriptor)
    outbound.removeAll(keeping: 0)
    inbound.removeAll(keeping: 0)
    account()
    loop.remove(self)
    loop.core.connectionClosed(from: address, wasRefused: wasRefused)
    let handler = self.handler
    self.handler = nil
    handler?.connectionClosed()
  }
}

/// Takes a buffer out of its place and leaves an empty one.
private func exchange(_ place: inout ByteBuffer) -> ByteBuffer {
  var taken = ByteBuffer()
  swap(&taken, &place)
  return taken
}
