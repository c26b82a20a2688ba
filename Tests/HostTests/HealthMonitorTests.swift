import Decisions
import JSON
import Testing

@testable import Host

/// A minute after the start, and later.
private func at(_ bench: HostBench, _ seconds: UInt64) -> Instant {
  bench.services.startedAt.advanced(milliseconds: seconds * 1_000)
}

/// A permit that a test holds for as long as it likes.
private final class HeldPermit {
  private var permit: Permit?

  init(_ permit: consuming Permit) { self.permit = consume permit }

  func release(now: Instant) {
    guard let permit = permit.take() else { return }
    _ = permit.release(.neutral, now: now)
  }
}

extension HostBench {
  fileprivate var health: HealthMonitor { services.health }

  /// Takes permits of the first provider.
  fileprivate func take(_ count: Int) throws -> [HeldPermit] {
    try (0..<count).map { number in
      let request = Admission.Request(
        ticket: Ticket(loop: 0, call: UInt64(number)), provider: 0, session: number, owner: [],
        leaseNanoseconds: 3_600_000_000_000)
      switch core.admit(request, now: services.startedAt) {
      case .admitted(let permit): return HeldPermit(permit)
      default: throw NotAdmitted(number: number)
      }
    }
  }
}

private struct NotAdmitted: Error { var number: Int }

private struct Spoiled: StorageStatus {
  var state: (isHealthy: Bool, message: String, remedy: String)
  var queue: (used: Int, limit: Int)?
}

struct HealthMonitorTests {
  @Test func `a host is starting until every loop knows its models, and unhealthy until then`() throws {
    let bench = try HostBench(isReady: false)
    let report = bench.health.report(now: at(bench, 1))
    #expect(report.state == "starting" && !report.isReady && report.status == .unhealthy)
    #expect(report[.providers]?.status == .unhealthy && report[.semaphores]?.status == .healthy)
    let ready = try HostBench().health
    #expect(ready.report(now: .now()).state == "running" && ready.report(now: .now()).status == .healthy)
  }

  @Test func `two loops are ready when both are`() throws {
    let bench = try HostBench()
    let monitor = HealthMonitor(
      core: bench.core, memory: bench.services.memory, version: "1", startedAt: .now(), loopCount: 2)
    let routing = try #require(bench.loop.routing)
    monitor.adopt(routing, loop: 0)
    monitor.adopt(routing, loop: 0)
    #expect(!monitor.report(now: .now()).isReady)
    monitor.adopt(routing, loop: 1)
    #expect(monitor.report(now: .now()).isReady)
  }

  @Test func `a host that drains is not ready, and lives`() throws {
    let bench = try HostBench()
    bench.core.beginDrain()
    let report = bench.health.report(now: at(bench, 1))
    #expect(report.state == "draining" && !report.isReady && report.isLive && report.status == .unhealthy)
  }

  @Test func `a provider that is full is two alerts and a degraded component, until it has recovered`() throws {
    let bench = try HostBench(providerLimit: 10)
    #expect(bench.health.look(HealthFacts.Surroundings(), now: at(bench, 1)) == [])
    let held = try bench.take(10)
    let told = bench.health.look(HealthFacts.Surroundings(), now: at(bench, 2))
    #expect(told.map(\.name) == ["provider_permits", "provider_permits"])
    #expect(told.map(\.severity) == [.warning, .critical] && told.allSatisfy { $0.subject == "fake" })
    var report = bench.health.report(now: at(bench, 2))
    #expect(report.status == .degraded && report.isReady && report[.semaphores]?.status == .degraded)
    #expect(report.alerts.map(\.severity) == [.critical] && report[.semaphores]?.remedy.isEmpty == false)
    for permit in held { permit.release(now: at(bench, 3)) }
    #expect(bench.health.look(HealthFacts.Surroundings(), now: at(bench, 3)) == [])
    #expect(bench.health.report(now: at(bench, 4)).status == .degraded, "it may flap")
    #expect(bench.health.look(HealthFacts.Surroundings(), now: at(bench, 13)).map(\.severity) == [.info])
    report = bench.health.report(now: at(bench, 13))
    #expect(
      report.status == .healthy && report.alerts == []
        && report.recentAlerts.map(\.severity) == [.info, .critical, .warning])
  }

  @Test func `a storage that is broken degrades and stops nothing, and its queue is watched`() throws {
    let bench = try HostBench()
    bench.health.watch(Spoiled(state: (false, "the disk is full", "free some of it"), queue: (95, 100)))
    let told = bench.health.look(HealthFacts.Surroundings(), now: at(bench, 1))
    #expect(told.map(\.name) == ["storage", "storage_queue"])
    let report = bench.health.report(now: at(bench, 1))
    #expect(report.status == .degraded && report.isReady)
    #expect(report[.storage]?.message == "the disk is full" && report[.storage]?.remedy == "free some of it")
  }

  @Test(
    arguments: [
      (999, HealthReport.Status.healthy, true), (1_000, .degraded, true), (9_999, .degraded, true),
      (10_000, .unhealthy, false),
    ] as [(UInt64, HealthReport.Status, Bool)])
  func `a loop that stands still`(milliseconds: UInt64, status: HealthReport.Status, isLive: Bool) throws {
    let bench = try HostBench()
    var surroundings = HealthFacts.Surroundings()
    surroundings.loops = [LoopPulse.Figures(standstillNanoseconds: milliseconds * 1_000_000)]
    _ = bench.health.look(surroundings, now: at(bench, 1))
    let report = bench.health.report(now: at(bench, 1))
    #expect(report[.loops]?.status == status && report.isLive == isLive)
    #expect(report.status == status)
  }

  @Test func `memory has no rate before there is one, and a growth that counts is told`() throws {
    let bench = try HostBench()
    var surroundings = HealthFacts.Surroundings()
    surroundings.process = ProcessMemory(pid: 1, residentBytes: 50 << 20, growth: nil, sampledSeconds: 59)
    #expect(bench.health.look(surroundings, now: at(bench, 1)) == [])
    let rate = bench.health.report(now: at(bench, 1))[.memory]?.json["growth_bytes_per_hour"]
    #expect(rate == .null)
    surroundings.process?.growth = MemoryGrowth.Growth(
      bytesPerSecond: 1_048_576, spanSeconds: 60, startBytes: 50 * 1_048_576)
    #expect(bench.health.look(surroundings, now: at(bench, 2)).map(\.name) == ["memory_growth"])
    let report = bench.health.report(now: at(bench, 2))
    #expect(report[.memory]?.status == .degraded && report[.memory]?.message.contains("3600 MiB an hour") == true)
  }

  @Test func `a disk that is nearly full is unhealthy, one that does not answer degraded`() throws {
    let bench = try HostBench()
    var surroundings = HealthFacts.Surroundings()
    surroundings.disks = [DiskFigures(path: "/a", totalBytes: 1000, freeBytes: 50)]
    #expect(bench.health.look(surroundings, now: at(bench, 1)).map(\.severity) == [.warning, .critical])
    #expect(bench.health.report(now: at(bench, 1))[.disk]?.status == .unhealthy)
    #expect(bench.health.report(now: at(bench, 1)).status == .degraded)
    surroundings.diskSilenceSeconds = 11
    _ = bench.health.look(surroundings, now: at(bench, 2))
    #expect(bench.health.report(now: at(bench, 2))[.disk]?.message.contains("11 s") == true)
  }

  @Test func `since is when the status became what it is`() {
    var state = ComponentState(.log, .healthy("a"), wall: 1)
    state.step(.healthy("b"), wall: 2)
    #expect(state.component.since == 1 && state.component.message == "b")
    state.step(ComponentReading(status: .degraded, message: "c", remedy: "d"), wall: 3)
    state.step(ComponentReading(status: .degraded, message: "e", remedy: "f"), wall: 4)
    #expect(state.component.since == 3 && state.component.remedy == "f")
    state.step(ComponentReading(status: .unhealthy, message: "g", remedy: "h"), wall: 5)
    #expect(state.component.since == 5)
    state.step(.healthy("i"), wall: 6)
    #expect(state.component.since == 6 && state.component.remedy.isEmpty)
  }

  @Test func `the body has what the page and the tools read`() throws {
    let bench = try HostBench()
    let body = bench.health.report(now: at(bench, 5)).json
    #expect(body["status"]?.string == "healthy" && body["ready"]?.bool == true && body["state"]?.string == "running")
    #expect(body["uptime_seconds"]?.integer == 5 && body["version"]?.string == "9.9.9")
    #expect(body["components"]?.members?.map(\.key) == HealthReport.Component.Name.allCases.map(\.rawValue))
    for component in body["components"]?.members ?? [] {
      for key in ["status", "message", "since", "remedy"] { #expect(component.value[key] != nil, "\(component.key)") }
    }
    #expect(body["alerts"] == .array([]) && body["recent_alerts"] == .array([]))
  }
}

struct DiskFiguresTests {
  @Test(
    arguments: [(150, AlertEpisode.Sight.warning), (151, .between), (50, .critical), (51, .warning), (201, .clear)]
      as [(UInt64, AlertEpisode.Sight)])
  func `bytes decide`(free: UInt64, sight: AlertEpisode.Sight) {
    #expect(DiskFigures(path: "/", totalBytes: 1000, freeBytes: free).sight == sight)
  }

  @Test func `files decide when there are fewer of them`() {
    let figures = DiskFigures(path: "/", totalBytes: 1000, freeBytes: 999, usedFiles: 96, totalFiles: 100)
    #expect(figures.sight == .critical && figures.usedPercent == 96 && figures.message.contains("files"))
  }

  @Test func `a real file system is read, each once, and what is not there left out`() throws {
    let found = DiskWatch.read(["/", "/", "/no/such/directory"])
    #expect(found.map(\.path) == ["/"])
    let disk = try #require(found.first)
    #expect(disk.totalBytes > 1 << 20 && disk.freeBytes <= disk.totalBytes)
  }
}

struct LoopPulseTests {
  @Test func `a loop that does not run stands still, and its lag is known when it does`() throws {
    let loop = try EventLoop(index: 0)
    let pulse = LoopPulse()
    let start = Instant.now()
    #expect(pulse.figures(now: start) == LoopPulse.Figures())
    pulse.beat(loop, now: start)
    pulse.beat(loop, now: start.advanced(milliseconds: 5))
    #expect(pulse.figures(now: start.advanced(milliseconds: 10)).standstillNanoseconds == 10_000_000)
    pulse.answer(now: start.advanced(milliseconds: 30))
    #expect(pulse.figures(now: start.advanced(milliseconds: 40)) == LoopPulse.Figures(lagNanoseconds: 30_000_000))
  }

  @Test func `a loop that was stopped is not waited for`() throws {
    let loop = try EventLoop(index: 0)
    loop.stop()
    loop.run()
    let pulse = LoopPulse()
    pulse.beat(loop, now: .now())
    #expect(pulse.figures(now: .now()).standstillNanoseconds == 0)
  }
}

struct HealthMetricsTests {
  @Test func `every component and severity has its series, with the state of the last look`() throws {
    let bench = try HostBench(providerLimit: 1)
    _ = bench.services.health.look(HealthFacts.Surroundings(), now: at(bench, 1))
    var snapshot = MetricSnapshot(families: [])
    HealthMetrics(monitor: bench.services.health).collect(into: &snapshot)
    func status(_ name: HealthReport.Component.Name) -> Double? {
      snapshot.number("patchbay_component_status", [.init(name: "component", value: name.rawValue)])
    }
    #expect(HealthReport.Component.Name.allCases.allSatisfy { status($0) == 0 })
    let held = try bench.take(1)
    _ = bench.services.health.look(HealthFacts.Surroundings(), now: at(bench, 2))
    snapshot = bench.services.metrics.snapshot(now: at(bench, 2))
    #expect(status(.semaphores) == 1 && status(.log) == 0)
    let critical = snapshot.number("patchbay_alerts_active", [.init(name: "severity", value: "critical")])
    #expect(critical == 1)
    #expect(snapshot.number("patchbay_alerts_active", [.init(name: "severity", value: "warning")]) == 0)
    for permit in held { permit.release(now: at(bench, 3)) }
  }
}
