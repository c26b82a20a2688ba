internal import Bytes
internal import CLinux
internal import Glibc

/// `patchbay plugin-worker --loops N`: one plugin, one instance, alone in this process. It has neither key nor network;
/// its host has both, and is asked for what the plugin wants of them.
///
/// The plugin meets the very same code as in the host: `InProcessProvider` with its tables, checks and services. Only the
/// upstream client and the sinks are others. Thread: main, which becomes the one loop.
package final class PluginWorker: WorkerStreamDelegate {
  /// What a worker finds at its descriptors.
  enum Descriptors {
    static let output: Int32 = 1
    static let control: Int32 = 3
    static let log: Int32 = 4
    static let trail: Int32 = 5
    static let firstLoop: Int32 = 6
  }

  let loop: EventLoop
  let trail: WorkerTrail?
  let provider: InProcessProvider
  let upstream: WorkerUpstreamClient
  private var control: WorkerStream?
  private var links: [WorkerLink] = []
  private let log: Log

  /// Runs until the host wants no more of it.
  ///
  /// - Parameters:
  ///   - loops: the loops of the host, each with a socket from descriptor 6 on.
  ///   - parent: the host's process.
  package static func run(loops: Int32, parent: Int32) -> Never {
    guard (1...Int32(CallHandle.loopsLimit)).contains(loops) else { _exit(WorkerExit.usage) }
    var sandbox = WorkerSandbox()
    sandbox.leaveHost(parent: parent, firstForeignDescriptor: Descriptors.firstLoop + loops)
    // Ctrl-C and a service manager mean the host, which finishes its calls first and ends its workers then.
    for word in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT] { signal(word, SIG_IGN) }
    let trail = WorkerTrail(descriptor: Descriptors.trail)
    Glibc.close(Descriptors.trail)
    do {
      let create = try WorkerHandshake.readCreate(Descriptors.control)
      sandbox.close(library: create.plan.plugin.copyPath)
      WorkerHandshake.send(Descriptors.control, .hello) { WorkerHello(missing: sandbox.missing).write(to: &$0) }
      let worker = try PluginWorker(create, trail)
      try worker.serve(loops)
    } catch let fault as PluginFault {
      WorkerHandshake.send(Descriptors.control, .refusedToCreate) { fault.write(to: &$0) }
      _exit(WorkerExit.stopped)
    } catch {
      _exit(WorkerExit.protocolBroken)
    }
  }

  private init(_ create: WorkerCreate, _ trail: WorkerTrail?) throws {
    log = Log(descriptor: Descriptors.log, level: create.logLevel, format: .json)
    loop = try EventLoop(index: 0)
    self.trail = trail
    upstream = WorkerUpstreamClient(trail: trail)
    trail?.note(.load, [])
    let copy = PluginStore.Copy(path: create.plan.plugin.copyPath, sha256: create.plan.plugin.sha256, wasKnown: true)
    let plugin = try LoadedPlugin(path: create.plan.plugin.path, copy: copy, flags: PluginHandshake.worker)
    provider = InProcessProvider(
      plan: create.plan, plugin: plugin,
      places: [LoopPlace(loop: loop, upstream: create.hasUpstream ? upstream : nil)],
      graceMilliseconds: create.graceMilliseconds, log: log)
    trail?.note(.create, [])
    try provider.create(create.plan.providerID)
    trail?.noteBetween()
  }

  private func serve(_ loops: Int32) throws -> Never {
    control = try WorkerStream(
      Descriptors.control, accepting: [.stop, .destroy, .ping, .logLevel], on: loop, delegate: self)
    for index in 0..<loops { links.append(try WorkerLink(Descriptors.firstLoop + index, self)) }
    control?.send(.created)
    loop.run()
    _exit(WorkerExit.stopped)
  }

  // MARK: - The control channel

  func streamReceived(_ message: WorkerFrameDecoder.Message, from stream: WorkerStream) throws(WorkerFrameFault) {
    switch message.kind {
    case .ping: control?.send(.pong, call: message.call)
    case .logLevel:
      var fields = WorkerFieldReader(message)
      log.setLevel(try fields.logLevel())
      try fields.end()
    case .stop:
      trail?.note(.stop, [])
      provider.stop()
      trail?.noteBetween()
    default:
      trail?.note(.destroy, [])
      let isFreed = provider.destroy()
      trail?.noteBetween()
      control?.send(.destroyed) { $0.appendField(UInt32(isFreed ? 1 : 0)) }
    }
  }

  /// The host has closed its end, or is gone: nobody wants anything of this process.
  func streamEnded(_ stream: WorkerStream, _ end: WorkerStream.End) {
    // Without the plugin's destructors.
    _exit(end == .closed ? WorkerExit.stopped : WorkerExit.protocolBroken)
  }
}

/// The first words between a host and a worker, before there is a loop.
enum WorkerHandshake {
  /// Waits for what the worker is to do.
  static func readCreate(_ descriptor: Int32) throws(WorkerFrameFault) -> WorkerCreate {
    var decoder = WorkerFrameDecoder(accepting: [.create])
    var create: WorkerCreate?
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while create == nil {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { _exit(WorkerExit.orphaned) }
      var fault: WorkerFrameFault?
      buffer.withUnsafeBytes { bytes in
        do throws(WorkerFrameFault) {
          try decoder.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) {
            message throws(WorkerFrameFault) in
            create = try WorkerCreate(message)
          }
        } catch { fault = error }
      }
      if let fault { throw fault }
    }
    guard let create else { preconditionFailure("no create message after the loop that waits for it") }
    return create
  }

  /// Sends one message and waits until the socket has taken it.
  static func send(_ descriptor: Int32, _ kind: WorkerFrame.Kind, _ write: (inout ByteBuffer) -> Void) {
    var out = ByteBuffer()
    out.appendMessage(kind, write)
    while !out.isEmpty {
      let count = Glibc.send(descriptor, out.readable.baseAddress, out.count, Int32(MSG_NOSIGNAL))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      out.consume(count)
    }
  }
}
