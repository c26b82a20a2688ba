import Synchronization

/// Provider instances that a reload replaced or removed: each is stopped once nothing can reach it any more and its last
/// call has ended.
///
/// Thread: any for `add`; `look` and `stopAll` on the control thread, never a loop. The mutex guards the list; nothing
/// is called while it is held.
final class RetiredInstances: Sendable {
  private struct Entry {
    var provider: any HostedProvider
    /// The snapshots that led to it: a call that waits may still open it.
    var routings: [WeakRouting]
  }

  struct WeakRouting: Sendable {
    private weak let life: Routing.Life?

    init(_ routing: Routing) { life = routing.life }

    /// Whether nobody holds it any more.
    var isGone: Bool { life == nil }
  }

  private let entries = Mutex<[Entry]>([])

  func add(_ providers: [any HostedProvider], reachedBy routings: [WeakRouting]) {
    guard !providers.isEmpty else { return }
    entries.withLock { entries in
      entries += providers.map { Entry(provider: $0, routings: routings) }
    }
  }

  /// Ends those that are idle and out of reach.
  func look(_ log: Log) {
    let idle = entries.withLock { entries in
      let idle = entries.filter { entry in
        entry.routings.allSatisfy(\.isGone) && entry.provider.openCalls == 0
      }
      entries.removeAll { entry in idle.contains { $0.provider === entry.provider } }
      return idle
    }
    for entry in idle {
      entry.provider.stop()
      _ = entry.provider.destroy()
      log.info("A replaced provider has ended", ("provider", entry.provider.information.id))
    }
  }

  /// The host stops: whatever runs is cancelled.
  func stopAll() {
    let left = entries.withLock { entries in
      defer { entries = [] }
      return entries
    }
    for entry in left {
      entry.provider.stop()
      _ = entry.provider.destroy()
    }
  }
}
