internal import CLinux
internal import Glibc

/// Work that may take seconds, beside the control thread.
enum ControlJob {
  /// Runs `work` once on a thread of its own. False: the system has none.
  static func run(named name: StaticString, _ work: @escaping @Sendable () -> Void) -> Bool {
    let box = Unmanaged.passRetained(Box(name, work))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
        pthread_setname_np(pthread_self(), UnsafeRawPointer(box.name.utf8Start).assumingMemoryBound(to: CChar.self))
        box.work()
        return nil
      }, box.toOpaque())
    guard status == 0 else {
      box.release()
      return false
    }
    pthread_detach(thread)
    return true
  }

  private final class Box: Sendable {
    let name: StaticString
    let work: @Sendable () -> Void

    init(_ name: StaticString, _ work: @escaping @Sendable () -> Void) {
      self.name = name
      self.work = work
    }
  }
}
