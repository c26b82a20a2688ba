import Decisions

/// The thread that starts the workers of a host and watches over them.
///
/// The kernel kills a worker when the thread that started it ends, so it is one thread for all of them, which lives as
/// long as they do; and it is its own, so that nothing else the host does delays a ping or hides a death.
/// Thread: any.
final class WorkerSupervisor: Sendable {
  let executable: String
  let loop: EventLoop
  /// `@unchecked`: the list is the loop's.
  private final class Keepers: @unchecked Sendable { var list: [WorkerKeeper] = [] }
  private let keepers = Keepers()

  /// Starts the thread.
  init(executable: String) throws(PluginFault) {
    self.executable = executable
    do throws(EventLoopError) {
      loop = try EventLoop(index: 0)
    } catch {
      throw PluginFault("no thread for workers: \(error)", remedy: "raise the limit of open files")
    }
    loop.start(name: "workers")
  }

  /// Starts a worker and waits for its instance. Answers what its sandbox lacks.
  func start(_ keeper: WorkerKeeper) throws(PluginFault) -> [String] {
    let latch = Latch<Result<[String], PluginFault>>()
    let keepers = self.keepers
    loop.submitPastBound(
      .work {
        keepers.list.append(keeper)
        keeper.start(latch)
      })
    // The keeper answers in any case; this is for a thread that is gone.
    guard let answer = latch.wait(milliseconds: 2 * WorkerChannel.patienceMilliseconds) else {
      throw PluginFault("the thread for workers does not answer", remedy: "restart the host")
    }
    return try answer.get()
  }

  func run(_ body: @escaping () -> Void) { loop.submitPastBound(.work(body)) }

  func forget(_ keeper: WorkerKeeper) { keepers.list.removeAll { $0 === keeper } }

  /// Ends every worker, then the thread. Nothing may be started after it. Thread: not the supervisor's.
  func shutDown() {
    let leaving = Latch<[Latch<Void>]>()
    let keepers = self.keepers
    loop.submitPastBound(
      .work {
        let left = keepers.list
        let latches = left.map { _ in Latch<Void>() }
        for (keeper, latch) in zip(left, latches) { keeper.finish(latch) }
        leaving.put(latches)
      })
    for latch in leaving.wait(milliseconds: WorkerKeeper.endMilliseconds) ?? [] {
      _ = latch.wait(milliseconds: 2 * WorkerKeeper.endMilliseconds)
    }
    loop.stop()
    loop.join()
  }
}
