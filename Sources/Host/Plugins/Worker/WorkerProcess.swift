internal import Bytes
internal import CLinux
import Decisions
internal import Glibc

/// Who hears of a worker's process. Thread: the supervisor's loop.
protocol WorkerProcessDelegate: AnyObject {
  func workerCreated(_ worker: WorkerProcess)
  /// It cannot make the instance, and will end by itself.
  func workerRefused(_ worker: WorkerProcess, _ fault: PluginFault)
  /// The plugin's instance was freed, or could not be.
  func workerDestroyed(_ worker: WorkerProcess)
  /// It broke the protocol, closed what is not its own, or stands still: it must be ended.
  func workerMisbehaved(_ worker: WorkerProcess, _ end: WorkerEnd)
  /// The last word: it was reaped, and all that it printed was read.
  func workerEnded(_ worker: WorkerProcess, _ ending: ChildProcess.Ending)
}

/// One process of a worker: the child, its control socket, what it prints and logs, and its pings.
///
/// Thread: the supervisor's loop.
final class WorkerProcess: WorkerStreamDelegate, DescriptorHandler, TimerTarget {
  /// A worker whose loop does not answer for so many pings stands still.
  static let missedPingsLimit = 3
  static let pingMilliseconds: UInt64 = 1_000

  let child: ChildProcess
  let trail: WorkerTrail?
  /// What its sandbox lacks; nil until it said so.
  private(set) var missing: [String]?
  private let loop: EventLoop
  private unowned let delegate: any WorkerProcessDelegate
  private let isWatched: Bool
  private var control: WorkerStream?
  private var readers: [LineReader]
  private var endToken: DescriptorToken?
  private var ping: TimerID?
  private var missedPings = 0

  /// Starts the process and tells it what to make.
  ///
  /// - Parameters:
  ///   - sockets: each host loop's socket of the worker's side, closed here.
  ///   - isWatched: false for a plugin that says that it blocks.
  init(
    executable: String, create: WorkerCreate, sockets: [Int32], lines: [LineReader], on loop: EventLoop,
    isWatched: Bool, delegate: any WorkerProcessDelegate
  ) throws(PluginFault) {
    self.loop = loop
    self.delegate = delegate
    self.isWatched = isWatched
    readers = lines
    let trailDescriptor = try WorkerTrail.makeDescriptor()
    let nowhere = clinux_open("/dev/null", O_RDONLY | O_CLOEXEC, 0)
    defer { for descriptor in [trailDescriptor, nowhere] { close(descriptor) } }
    let pair = try WorkerSockets.pair()
    defer { close(pair.child) }
    trail = WorkerTrail(descriptor: trailDescriptor)
    var descriptors: [ChildProcess.Descriptor] = [
      .init(own: nowhere, child: 0), .init(own: lines[0].childDescriptor, child: PluginWorker.Descriptors.output),
      .init(own: lines[0].childDescriptor, child: 2), .init(own: pair.child, child: PluginWorker.Descriptors.control),
      .init(own: lines[1].childDescriptor, child: PluginWorker.Descriptors.log),
      .init(own: trailDescriptor, child: PluginWorker.Descriptors.trail),
    ]
    for (index, socket) in sockets.enumerated() {
      descriptors.append(.init(own: socket, child: PluginWorker.Descriptors.firstLoop + Int32(index)))
    }
    do throws(PluginFault) {
      child = try ChildProcess(
        executable: executable,
        arguments: ["plugin-worker", "--parent", "\(getpid())", "--loops", "\(sockets.count)"],
        environment: ChildProcess.plainEnvironment, descriptors: descriptors)
    } catch {
      close(pair.own)
      throw error
    }
    for reader in lines { reader.closeChildEnd() }
    do throws(EventLoopError) {
      control = try WorkerStream(
        pair.own, accepting: [.hello, .created, .refusedToCreate, .destroyed, .pong], on: loop, delegate: self)
      endToken = try loop.add(child.endDescriptor, .read, handler: self)
      for reader in lines { try reader.start(on: loop) }
    } catch {
      // Else the loop would hold us, and we the child.
      if let endToken { loop.remove(endToken) }
      control?.close()
      throw PluginFault("the host cannot watch a worker: \(error)", remedy: "raise the limit of open files")
    }
    control?.send(.create) { create.write(to: &$0) }
  }

  func send(_ kind: WorkerFrame.Kind) { control?.send(kind) }

  /// Which lines its log has from now on.
  func send(_ level: LogLevel) { control?.send(.logLevel) { $0.appendField(UInt32(level.rawValue)) } }

  /// Closes the control socket, by which the worker ends itself.
  func letGo() { control?.close() }

  func kill() { child.kill() }

  /// Threads that it has now.
  var threads: Int {
    guard let directory = opendir("/proc/\(child.pid)/task") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) { if entry.pointee.d_name.0 != 0x2E { count += 1 } }
    return count
  }

  // MARK: - Events

  func streamReceived(_ message: WorkerFrameDecoder.Message, from stream: WorkerStream) throws(WorkerFrameFault) {
    switch message.kind {
    case .hello: missing = try WorkerHello(message).missing
    case .created:
      startPings()
      delegate.workerCreated(self)
    case .refusedToCreate: delegate.workerRefused(self, try PluginFault(message))
    case .destroyed: delegate.workerDestroyed(self)
    default: missedPings = 0
    }
  }

  func streamEnded(_ stream: WorkerStream, _ end: WorkerStream.End) {
    switch end {
    // Its end follows, when it is that.
    case .closed: delegate.workerMisbehaved(self, .closedSocket)
    case .broken(let fault): delegate.workerMisbehaved(self, .brokeProtocol("\(fault)"))
    }
  }

  private func startPings() {
    guard isWatched else { return }
    ping = loop.schedule(at: loop.now.advanced(milliseconds: Self.pingMilliseconds), self, tag: 0)
  }

  func timerFired(_ tag: UInt32) {
    ping = nil
    guard endToken != nil else { return }
    guard missedPings < Self.missedPingsLimit else { return delegate.workerMisbehaved(self, .stoodStill) }
    missedPings += 1
    control?.send(.ping)
    startPings()
  }

  /// The child has ended.
  func descriptorReady(_ ready: DescriptorInterest) {
    guard let ending = child.reap() else { return }
    if let endToken { loop.remove(endToken) }
    endToken = nil
    if let ping { _ = loop.cancel(ping) }
    control?.close()
    for reader in readers { reader.finish() }
    delegate.workerEnded(self, ending)
  }
}

/// Why a worker ended, as far as the host knows more than the kernel.
enum WorkerEnd: Equatable {
  case byItself
  case closedSocket
  case brokeProtocol(String)
  /// Its loop did not answer (C7).
  case stoodStill
  /// It did not end cancelled calls (PRV-R010).
  case keptCalls(Int)
  /// It did not come up.
  case slowStart

  /// The rule of provider_abi.h that was broken.
  func rule(_ ending: ChildProcess.Ending) -> String {
    switch self {
    case .byItself:
      if case .signalled = ending { "PRV-R013" } else { "PRV-R012" }
    case .closedSocket, .brokeProtocol: "PRV-R012"
    case .stoodStill, .slowStart: "PRV-C7"
    case .keptCalls: "PRV-R010"
    }
  }

  /// What happened, as the log says it.
  func sentence(_ ending: ChildProcess.Ending) -> String {
    switch self {
    case .byItself: "\(ending)"
    case .closedSocket: "killed: it closed a descriptor that is the host's"
    case .brokeProtocol(let what): "killed: it broke the protocol: \(what)"
    case .stoodStill:
      "killed: its loop stood still for \(WorkerProcess.missedPingsLimit) s"
    case .keptCalls(let count): "killed: it did not end \(count) cancelled calls"
    case .slowStart: "killed: it did not come up within \(WorkerChannel.patienceMilliseconds / 1_000) s"
    }
  }
}

/// Pairs of sockets between a host and a worker.
enum WorkerSockets {
  static func pair() throws(PluginFault) -> (own: Int32, child: Int32) {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw PluginFault("no socket: \(systemMessage(errno))", remedy: "raise the limit of open files")
    }
    return (ends[0], ends[1])
  }

  static func close(_ descriptor: Int32) { Glibc.close(descriptor) }
}
