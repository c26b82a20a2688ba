import CLinux
import Decisions
import Glibc
import Synchronization

/// Asks how full the file systems are, on a thread of its own: one that hangs, as of a network, holds up nobody else.
///
/// Thread: any. The thread is not waited for at the end: it may never come back.
final class DiskWatch: Sendable {
  /// Between two looks.
  static let lookMilliseconds: UInt64 = 5_000
  /// A look that takes longer is told.
  static let patienceNanoseconds: UInt64 = 10_000_000_000

  private struct State {
    var figures: [DiskFigures] = []
    /// When the look under way began.
    var began: Instant?
    var isOver = false
  }

  private let paths: [String]
  private let state = Mutex(State())

  init(paths: [String]) { self.paths = paths }

  func start() {
    let watch = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        pthread_setname_np(pthread_self(), "disk-watch")
        Unmanaged<DiskWatch>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, watch.toOpaque())
    guard status == 0 else { return watch.release() }
    pthread_detach(thread)
  }

  func stop() { state.withLock { $0.isOver = true } }

  /// What the last look has found, and for how many seconds the next has been without an answer; 0: it has one.
  func figures(now: Instant) -> (disks: [DiskFigures], silenceSeconds: UInt64) {
    state.withLock { state in
      let silence = state.began.map { now.nanoseconds(since: $0) } ?? 0
      return (state.figures, silence >= Self.patienceNanoseconds ? silence / 1_000_000_000 : 0)
    }
  }

  private func run() {
    while !state.withLock({ $0.isOver }) {
      look()
      // Short, so that the thread is gone soon after the host.
      for _ in 0..<(Self.lookMilliseconds / 100) where !state.withLock({ $0.isOver }) { usleep(100_000) }
    }
  }

  func look() {
    state.withLock { $0.began = .now() }
    let figures = Self.read(paths)
    state.withLock { state in
      state.figures = figures
      state.began = nil
    }
  }

  /// Each file system once, by the first of the paths that lies on it.
  static func read(_ paths: [String]) -> [DiskFigures] {
    var devices: Set<dev_t> = []
    return paths.compactMap { path in
      var status = stat()
      guard stat(path, &status) == 0, devices.insert(status.st_dev).inserted else { return nil }
      return DiskFigures.read(path)
    }
  }
}
