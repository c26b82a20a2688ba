import Glibc

/// A few real threads of which one at a time holds the baton: what is run on them is serial, but comes on changing
/// threads, as a plugin must bear it (C7).
///
/// Thread: one driver hands out work and waits for its end. `@unchecked Sendable`: everything is behind `lock`.
final class HoppingThreads: @unchecked Sendable {
  static let count = 4

  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var work: (() -> Void)?
  /// Whose turn it is; nil: the driver's.
  private var turn: Int?
  private var isStopping = false
  private var threads: [pthread_t] = []

  private final class Start {
    let pool: HoppingThreads
    let number: Int
    init(pool: HoppingThreads, number: Int) {
      self.pool = pool
      self.number = number
    }
  }

  init() {
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
    for number in 0..<Self.count {
      var thread = pthread_t()
      // The pool outlives its threads: `stop` joins them.
      let start = Unmanaged.passRetained(Start(pool: self, number: number))
      let status = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
          start.pool.serve(start.number)
          return nil
        }, start.toOpaque())
      precondition(status == 0, "cannot start a thread: error \(status)")
      threads.append(thread)
    }
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  /// Ends the threads. The last function.
  func stop() {
    pthread_mutex_lock(lock)
    isStopping = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }

  /// Runs `body` on thread `number` and waits until it has returned.
  func run(on number: Int, _ body: () -> Void) {
    withoutActuallyEscaping(body) { body in
      pthread_mutex_lock(lock)
      work = body
      turn = number
      pthread_cond_broadcast(changed)
      while turn != nil { pthread_cond_wait(changed, lock) }
      work = nil
      pthread_mutex_unlock(lock)
    }
  }

  private func serve(_ number: Int) {
    pthread_mutex_lock(lock)
    while !isStopping {
      guard turn == number, let work else {
        pthread_cond_wait(changed, lock)
        continue
      }
      pthread_mutex_unlock(lock)
      work()
      pthread_mutex_lock(lock)
      turn = nil
      pthread_cond_broadcast(changed)
    }
    pthread_mutex_unlock(lock)
  }
}
