internal import CLinux
internal import Glibc

/// One check in a process of its own, started and not yet judged.
///
/// Thread: the one that started it, which must live as long as the child does (PR_SET_PDEATHSIG).
final class CheckProcess {
  private static let outputBytesLimit = 64 << 10
  private static let answerBytesLimit = 1 << 20
  /// Above what the child's own descriptors are numbered, so that moving one never hits another.
  private static let firstOwnDescriptor: Int32 = 10

  let check: Check
  /// Readable when the child has ended.
  let endDescriptor: Int32
  /// CLOCK_MONOTONIC nanoseconds.
  let deadline: UInt64
  private let process: pid_t
  private let started: UInt64
  private let crumbs: Breadcrumbs
  private var answerPipe: Int32
  private var outputPipe: Int32
  private var answer: [UInt8] = []
  private var output: [UInt8] = []
  private var wasKilled = false

  init(_ check: Check, _ run: ValidationRun) throws(ValidationFault) {
    guard let crumbs = Breadcrumbs() else { throw ValidationFault("make a shared page", errno) }
    let answerEnds = try Self.pipe()
    defer { close(answerEnds.write) }
    let outputEnds = try Self.pipe()
    defer { close(outputEnds.write) }
    answerPipe = answerEnds.read
    outputPipe = outputEnds.read
    self.check = check
    self.crumbs = crumbs
    started = MonotonicClock.nanoseconds()
    deadline = started &+ run.limitNanoseconds
    process = try Self.spawn(
      run.childArguments(check), answer: answerEnds.write, output: outputEnds.write, crumbs: crumbs.descriptor)
    endDescriptor = clinux_pidfd_open(process)
    guard endDescriptor >= 0 else {
      Glibc.kill(process, SIGKILL)
      _ = Self.reap(process)
      throw ValidationFault("watch a check's process", -endDescriptor)
    }
  }

  deinit {
    for descriptor in [answerPipe, outputPipe, endDescriptor] where descriptor >= 0 { close(descriptor) }
  }

  /// What `poll` is to wait for.
  var descriptors: [Int32] { [endDescriptor, answerPipe, outputPipe].filter { $0 >= 0 } }

  /// Takes what the child has written so far; never blocks.
  func read() {
    Self.drain(&answerPipe, into: &answer, limit: Self.answerBytesLimit)
    Self.drain(&outputPipe, into: &output, limit: Self.outputBytesLimit)
  }

  /// Ends the child and all it started; `end` follows.
  func kill() {
    wasKilled = true
    Glibc.kill(-process, SIGKILL)
    Glibc.kill(process, SIGKILL)
  }

  /// The finding, after `endDescriptor` became readable.
  func end() -> Finding {
    let status = Self.reap(process)
    Glibc.kill(-process, SIGKILL)  // what the plugin started must not outlive its check
    read()
    var finding = Finding(check, verdict(status))
    finding.seconds = Double(MonotonicClock.nanoseconds() &- started) / 1e9
    finding.calls = crumbs.calls
    finding.output = String(decoding: output, as: UTF8.self)
    return finding
  }

  private func verdict(_ status: Int32) -> Verdict {
    let signal = status & 0x7F
    if wasKilled {
      return Verdict(
        status: .timeout, expected: "an end within the check's time limit",
        found: "still running after \((deadline &- started) / 1_000_000) ms, killed")
    }
    if signal != 0 {
      return Verdict(status: .crash, expected: "the process goes on", found: SignalName.of(signal), rule: "PRV-R013")
    }
    let code = (status >> 8) & 0xFF
    guard code == 0, let verdict = Verdict(answer: answer) else {
      return Verdict(
        status: .crash, expected: "the process goes on until the check is done",
        found: "the process ended with status \(code) and no verdict", rule: "PRV-R012")
    }
    return verdict
  }

  // MARK: - System

  private static func pipe() throws(ValidationFault) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { throw ValidationFault("make a pipe", errno) }
    // The child's ends block: it must not lose what it writes.
    _ = clinux_fcntl_int(ends[1], F_SETFL, 0)
    let write = clinux_fcntl_int(ends[1], F_DUPFD_CLOEXEC, firstOwnDescriptor)
    let code = errno
    close(ends[1])
    guard write >= 0 else {
      close(ends[0])
      throw ValidationFault("make a pipe", code)
    }
    return (ends[0], write)
  }

  private static func spawn(_ arguments: [String], answer: Int32, output: Int32, crumbs: Int32)
    throws(ValidationFault) -> pid_t
  {
    let page = clinux_fcntl_int(crumbs, F_DUPFD_CLOEXEC, firstOwnDescriptor)
    guard page >= 0 else { throw ValidationFault("share a page", errno) }
    defer { close(page) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)
    posix_spawn_file_actions_adddup2(&actions, answer, CheckChild.answerDescriptor)
    posix_spawn_file_actions_adddup2(&actions, page, CheckChild.crumbsDescriptor)
    posix_spawn_file_actions_addclosefrom_np(&actions, CheckChild.crumbsDescriptor + 1)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A session of its own: what the plugin starts can be ended with it. Signals are as the system makes them.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(CLINUX_POSIX_SPAWN_SETSID) | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
    var words = arguments.map { strdup($0) } + [nil]
    var environment = ChildEnvironment.words.map { strdup($0) } + [nil]
    defer { for word in words + environment { free(word) } }
    var process = pid_t()
    let code = posix_spawn(&process, arguments[0], &actions, &attributes, &words, &environment)
    guard code == 0 else { throw ValidationFault("start \(arguments[0])", code) }
    return process
  }

  private static func reap(_ process: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  private static func drain(_ descriptor: inout Int32, into bytes: inout [UInt8], limit: Int) {
    guard descriptor >= 0 else { return }
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
      while true {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return }  // nothing there now
        guard count > 0 else {
          close(descriptor)
          descriptor = -1
          return
        }
        bytes += buffer.prefix(count).prefix(max(0, limit - bytes.count))
      }
    }
  }
}
