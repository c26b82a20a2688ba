internal import CLinux
internal import Glibc

/// What a plugin started and let go of: with nobody above it, it becomes ours, and we end it.
enum Orphans {
  private static let rounds = 100

  /// From now on orphans of our children become our own children (PR_SET_CHILD_SUBREAPER).
  static func adopt() { _ = clinux_prctl(PR_SET_CHILD_SUBREAPER, 1) }

  /// Ends every child there is, and what those leave; our own checks have been waited for by then.
  static func end() {
    for _ in 0..<rounds {
      let children = ProcessState.children
      if children.isEmpty { return }
      for child in children { kill(child, SIGKILL) }
      for child in children { while waitpid(child, nil, 0) < 0 && errno == EINTR {} }
    }
  }
}
