internal import Bytes
internal import CLinux
internal import Glibc

/// Performs a run: starts what `CheckSchedule` says, waits for what the children say, kills those that take too long.
package enum ValidationRunner {
  /// Blocks until every check has its finding. `told` hears each as it comes.
  package static func run(_ run: ValidationRun, told: (Finding) -> Void = { _ in }) throws(ValidationFault)
    -> ValidationResult
  {
    let began = MonotonicClock.nanoseconds()
    let stop = try StopRequest()
    let content = try PluginCopy.read(run.file)
    let copy = try PluginCopy(of: content, named: run.file)
    var run = run
    run.copy = copy.path
    defer { withExtendedLifetime((copy, stop)) {} }
    let findings = try perform(run, stop, told)
    let order = Dictionary(uniqueKeysWithValues: CheckCatalogue.all.enumerated().map { ($1.id, $0) })
    return ValidationResult(
      file: run.file,
      sha256: content.withUnsafeBytes { SHA256.hash($0) }.withUnsafeBytes { Hex.encode($0) },
      seed: run.seed, seconds: Double(MonotonicClock.nanoseconds() &- began) / 1e9,
      findings: findings.sorted { order[$0.check]! < order[$1.check]! })
  }

  private static func perform(_ run: ValidationRun, _ stop: StopRequest, _ told: (Finding) -> Void)
    throws(ValidationFault) -> [Finding]
  {
    var schedule = CheckSchedule(CheckCatalogue.all, run.selection)
    var running: [CheckProcess] = []
    var findings: [Finding] = []
    Orphans.adopt()
    defer {
      for process in running {
        process.kill()
        _ = process.end()
      }
      Orphans.end()
    }
    while !schedule.isDone {
      while running.count < run.jobs, let check = schedule.next() { running.append(try CheckProcess(check, run)) }
      let ended = try wait(running, stop)
      for process in ended {
        running.removeAll { $0 === process }
        for finding in schedule.record(process.end()) {
          findings.append(finding)
          told(finding)
        }
      }
    }
    return findings
  }

  /// Waits until something happens, reads what was written, kills what is late; answers with those that have ended.
  private static func wait(_ running: [CheckProcess], _ stop: StopRequest) throws(ValidationFault) -> [CheckProcess] {
    precondition(!running.isEmpty, "nothing runs, yet checks are waiting")
    let now = MonotonicClock.nanoseconds()
    let nearest = running.map(\.deadline).min()!
    let milliseconds = nearest > now ? Int32(clamping: (nearest - now) / 1_000_000 + 1) : 0
    var polled = ([stop.descriptor] + running.flatMap(\.descriptors)).map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    guard poll(&polled, nfds_t(polled.count), milliseconds) >= 0 || errno == EINTR else {
      throw ValidationFault("wait for the checks", errno)
    }
    let ready = Set(polled.filter { $0.revents != 0 }.map(\.fd))
    if ready.contains(stop.descriptor) { throw ValidationFault("stopped by \(SignalName.of(stop.take()))") }
    let late = MonotonicClock.nanoseconds()
    for process in running {
      process.read()
      if !ready.contains(process.endDescriptor) && process.deadline <= late { process.kill() }
    }
    return running.filter { ready.contains($0.endDescriptor) }
  }
}
