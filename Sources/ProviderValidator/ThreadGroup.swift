internal import Glibc

/// Threads of our own that do one thing and are waited for.
enum ThreadGroup {
  private final class Work {
    let body: @Sendable (Int) -> Void
    let number: Int

    init(_ number: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.number = number
      self.body = body
    }
  }

  /// Runs `body` with 0, 1, … on as many threads at once; returns when all have ended.
  static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).map { number in
      var thread = pthread_t()
      let work = Unmanaged.passRetained(Work(number, body)).toOpaque()
      let code = pthread_create(
        &thread, nil,
        { argument in
          let work = Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
          work.body(work.number)
          return nil
        }, work)
      precondition(code == 0, "a thread could not be started: \(String(cString: strerror(code)))")
      return thread
    }
    for thread in threads { pthread_join(thread, nil) }
  }
}
