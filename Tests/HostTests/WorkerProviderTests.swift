import CProviderABI
import Glibc
import Testing

@testable import Host

/// A provider whose plugin runs in a real worker: what the host sees is what it sees of one in process.
@Suite struct WorkerProviderTests {
  private final class Bench {
    let directory: TemporaryDirectory
    let state: TemporaryDirectory
    let loop: EventLoop
    let log: LogReader
    let upstream = ScriptedUpstream()
    let host: PluginHost
    private(set) var registry: ProviderRegistry?

    /// - Parameter source: compiled with `options`, and never mapped into this process.
    init(
      _ source: String = "Tests/EndToEndTests/plugins/misbehave.c", _ options: [String] = [],
      plugin: String = "misbehave", key: String? = nil
    ) throws {
      directory = try TemporaryDirectory()
      state = try TemporaryDirectory()
      try PluginFixture.compile(
        file: source, ["-std=c11", "-fvisibility=hidden", "-pthread"] + options, to: "x.so", in: directory)
      loop = try EventLoop(index: 0)
      log = try LogReader()
      var provider = ProviderSettings(id: "bench", plugin: plugin)
      provider.apiKey = key.map { Secret(value: $0) }
      var settings = PluginHostSettings(
        directories: [directory.path], stateDirectory: state.path, providers: [provider])
      settings.trust = .shipped([])
      settings.workerProgram = WorkerFixture.program
      settings.scanner = ChildScanner(executable: WorkerFixture.program, timeLimitMilliseconds: 20_000)
      settings.graceMilliseconds = 50
      let upstream = upstream
      host = PluginHost(settings: settings, log: log.log, loops: [loop]) { _ in upstream }
      loop.start()
      registry = host.register()
    }

    deinit {
      registry?.stop()
      _ = registry?.destroy()
      host.endWorkers()
      loop.stop()
      loop.join()
    }

    var provider: any ProviderInstance {
      get throws { try #require(registry?.providers.first, "\(registry?.refusedProviders ?? [])") }
    }

    func call(_ model: String) throws -> RecordingSink {
      let sink = RecordingSink()
      let provider = try provider
      let answer = Latch<Result<Void, ProviderFailure>>()
      loop.submitPastBound(
        .work { [loop] in
          answer.put(
            Result { () throws(ProviderFailure) in
              var model = model
              let opened: Result<ProviderCallID, ProviderFailure> = model.withUTF8 { model in
                let empty = UnsafeRawBufferPointer(start: nil, count: 0)
                return Result { () throws(ProviderFailure) in
                  try provider.open(
                    ProviderRequest(
                      kind: .chat, wantsStream: true, attempt: 1, deadline: .never, connectTimeoutNanoseconds: 5,
                      requestID: empty, model: UnsafeRawBufferPointer(model), bodySchema: "prv.chat/1", body: empty),
                    sink: sink, on: loop)
                }
              }
              _ = try opened.get()
            })
        })
      try #require(answer.wait(milliseconds: 20_000)).get()
      return sink
    }

    /// The line that begins with `message`, as soon as it is logged.
    func line(_ message: String) throws -> String {
      while true {
        let line = try log.line()
        if line.contains(" \(message) ") || line.hasSuffix(" \(message)") { return line }
      }
    }
  }

  @Test func `a call is answered by the plugin in its worker`() throws {
    let bench = try Bench()
    let sink = try bench.call("good")
    guard case .succeeded = try sink.end() else { throw RecordingSink.UnexpectedEnd(ends: sink.ends) }
    #expect(sink.words == ["text:ok", "finish:stop"])
    let entry = try #require(bench.registry?.entries.first)
    #expect(entry.provider.origin.isolation == .worker)
    #expect(entry.provider.origin.sandboxLacks == WorkerSandbox.lacksHere())
  }

  @Test func `a refusal of create has the words that it has in process`() throws {
    let bench = try Bench("Tests/HostTests/Fixtures/refusals.c", ["-ITests/HostTests/Fixtures"], plugin: "refused")
    #expect(
      bench.registry?.refusedProviders.map(\.reason)
        == ["`create` answered -1 and said: the fixture makes no instances"])
  }

  @Test func `a crash fails the call and says so, and the next worker answers`() throws {
    let bench = try Bench()
    let failure = try bench.call("abort").failure()
    #expect(failure.isCrash && failure.isRetryable == true && failure.status == PRV_E_INTERNAL)
    let line = try bench.line("A plugin's worker has ended")
    #expect(line.contains("reason=\"signal 6 (Aborted)\"") && line.contains("function=call_open"))
    let sink = try bench.call("good")
    guard case .succeeded = try sink.end() else { throw RecordingSink.UnexpectedEnd(ends: sink.ends) }
  }

  @Test func `the third end is the last`() throws {
    let bench = try Bench()
    for _ in 0..<3 {
      let failure = try bench.call("exit").failure()
      #expect(failure.isCrash)
      #expect(try bench.line("A plugin's worker has ended").contains("rule=PRV-R012"))
    }
    #expect(try bench.line("A plugin is in quarantine").contains("ended 3 times"))
    let entry = try #require(bench.registry?.entries.first)
    #expect(entry.provider.isSpent)
    #expect(try Quarantine(stateDirectory: bench.state.path).entries().map(\.sha256) == [entry.provider.origin.sha256])
    let refusal = #expect(throws: ProviderFailure.self) {
      // The loop may not know yet: then the call is told as soon as it does.
      throw try bench.call("good").failure()
    }
    #expect(refusal?.message.contains("quarantine") == true)
  }

  @Test func `a plugin that closes what is not its own is found out`() throws {
    let bench = try Bench()
    #expect(try bench.call("close-fds").failure().isCrash)
    let line = try bench.line("A plugin's worker has ended")
    #expect(line.contains("rule=PRV-R012") && line.contains("closed a descriptor"))
  }
}
