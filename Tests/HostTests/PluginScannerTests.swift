import CLinux
import Glibc
import ProviderContract
import Testing

@testable import Host

/// What looks at a plugin file in a child process: nothing that the file does there reaches us.
@Suite struct PluginScannerTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func scan(_ options: String..., milliseconds: UInt64 = 20_000) throws -> Result<
    PluginDescription, PluginFault
  > {
    let path = try PluginFixture.compile("hostile_scan", options.map { "-D" + $0 }, to: "x.so", in: directory)
    let scanner = ChildScanner(executable: WorkerFixture.program, timeLimitMilliseconds: milliseconds)
    return try #require(scanner.describe([path]).first)
  }

  private func reason(_ options: String..., milliseconds: UInt64 = 20_000) throws -> String {
    switch try scan(options[0], milliseconds: milliseconds) {
    case .success(let description): return "described \(description.id)"
    case .failure(let fault): return fault.reason
    }
  }

  @Test func `a child says what the plugin says`() throws {
    let description = try scan("CASE_NOTHING").get()
    #expect(description.id == "org.example.scanned")
    #expect(description.version == "1.2.3")
    let provider = try #require(description.providers.first)
    #expect(provider.id == "scanned")
    #expect(provider.capabilities == 1 << 63)
    #expect(provider.maxConcurrency == 3)
    #expect(provider.isBlocking)
    #expect(provider.temperatureMax == 2)
  }

  @Test func `many files are answered in their order, the broken ones among them`() throws {
    let good = try PluginFixture.compile("hostile_scan", to: "good.so", in: directory)
    let bad = try PluginFixture.compile("hostile_scan", ["-DCASE_ABORT"], to: "bad.so", in: directory)
    let scanner = ChildScanner(executable: WorkerFixture.program, timeLimitMilliseconds: 20_000)
    let answers = scanner.describe([good, bad, good, good, bad, good, good, good, bad, good])
    #expect(
      answers.map { (try? $0.get()) != nil }
        == [true, false, true, true, false, true, true, true, false, true])
  }

  @Test func `a plugin that aborts is named with its signal`() throws {
    #expect(
      try reason("CASE_ABORT") == "it ended the process that looked at it with signal 6 (Aborted) (PRV-R013)")
  }

  /// A sanitizer's runtime has a status of its own for a process that calls exit in the middle of something.
  private static let keepsStatus = !WorkerSandbox.isSanitized

  @Test(.enabled(if: keepsStatus)) func `a plugin that exits is named with its status`() throws {
    #expect(try reason("CASE_EXIT") == "it ended the process that looked at it with exit status 7 (PRV-R013)")
  }

  @Test(arguments: ["CASE_HANG", "CASE_CLOSE_AND_HANG"])
  func `a plugin that hangs is given up`(which: String) throws {
    let found = try reason(which, milliseconds: 300)
    #expect(
      found == "it did not say what it is within 300 ms (PRV-R002)"
        || found == "it ended the process that looked at it with signal 9 (Killed) (PRV-R013)")
  }

  @Test(arguments: ["CASE_HANG", "CASE_CLOSE_AND_HANG"])
  func `a scanner that is stopped ends its children at once and asks nobody after`(which: String) throws {
    let path = try PluginFixture.compile("hostile_scan", ["-D" + which], to: "x.so", in: directory)
    let scanner = ChildScanner(executable: WorkerFixture.program, timeLimitMilliseconds: 3_600_000)
    let answer = Latch<[Result<PluginDescription, PluginFault>]>()
    #expect(ControlJob.run(named: "scan") { answer.put(scanner.describe([path, path, path])) })
    scanner.stop()
    let ended = try #require(answer.wait(milliseconds: 60_000))
    let reasons = ended.map { if case .failure(let fault) = $0 { fault.reason } else { "described" } }
    #expect(reasons == ["the host stops", "the host stops", "the host stops"])
    #expect(scanner.describe([path]).allSatisfy { (try? $0.get()) == nil })
  }

  @Test(
    .enabled(if: keepsStatus),
    arguments: [
      "\"{}\"", "\"[\"", "\"{\\\"reason\\\":1}\"", "\"{\\\"reason\\\":\\\"\\\"}\"",
      "\"{\\\"id\\\":\\\"Not an id\\\",\\\"name\\\":\\\"\\\"}\"",
    ])
  func `a forged answer is refused`(answer: String) throws {
    let found = try reason("CASE_FORGE=\(answer)")
    #expect(found.hasPrefix("its scan answered "))
    #expect(found.hasSuffix("expected a description: the plugin writes to descriptors that are not its own (PRV-R012)"))
  }

  @Test func `an answer without end is cut off`() throws {
    #expect(try reason("CASE_FLOOD") == "its descriptor is larger than 8388608 bytes")
  }

  @Test func `what a plugin prints is not its answer`() throws {
    #expect(try reason("CASE_PRINT") == "described org.example.scanned")
  }

  @Test func `no socket can be made`() throws {
    #expect(try reason("CASE_SOCKET") == "described org.example.scanned")
  }

  @Test func `a child that nobody waits for is ended and leaves no zombie`() throws {
    var pipe: [Int32] = [-1, -1]
    try #require(pipe2(&pipe, O_CLOEXEC) == 0)
    defer { for descriptor in pipe { close(descriptor) } }
    var child: ChildProcess? = try ChildProcess(
      executable: "/bin/cat", arguments: [], environment: [], descriptors: [.init(own: pipe[0], child: 0)])
    let pid = try #require(child?.pid)
    #expect(kill(pid, 0) == 0)
    #expect(child?.reap() == nil)
    child = nil
    #expect(kill(pid, 0) == -1)
    #expect(errno == ESRCH)
  }

  @Test func `what a description says survives its way, and no more is believed`() throws {
    var description = try scan("CASE_NOTHING").get()
    description.id = "Not.An.ID"
    #expect(throws: PluginFault.self) { try DescriptorReader.check(description) }
    description.id = "org.example.scanned"
    #expect(throws: Never.self) { try DescriptorReader.check(description) }
    description.summary = "two\nlines"
    #expect(throws: PluginFault.self) { try DescriptorReader.check(description) }
    description.summary = String(repeating: "a", count: 1024)
    #expect(throws: Never.self) { try DescriptorReader.check(description) }
    description.summary += "a"
    #expect(throws: PluginFault.self) { try DescriptorReader.check(description) }
    description.summary = ""
    description.providers[0].temperatureMax = .nan
    #expect(throws: PluginFault.self) { try DescriptorReader.check(description) }
    description.providers[0].temperatureMax = 1
    description.providers[0].requiredServices = ["prv.telepathy/1"]
    #expect(throws: PluginFault.self) { try DescriptorReader.check(description) }
    description.providers = []
    #expect(throws: PluginFault.self) { try DescriptorReader.check(description) }
  }
}
