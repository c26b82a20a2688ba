internal import CProviderABI
internal import Glibc
internal import Synchronization

/// The life of instances: many of them, on any thread, and what is left when they are gone.
enum LifeChecks {
  static let all = [
    repeated, memory, leavesNoThread, silentAfterDestroy, processUnchanged, tableUnchanged, unstarted, anyThread,
    concurrent,
  ]

  private static let rounds = 100
  /// The first instances fill caches; what is counted comes after them.
  private static let warmRounds = 5

  static let repeated = CreateChecks.check(
    "create-destroy-100x", rule: "PRV-R014", proves: "A hundred instances leave no descriptor and no thread behind."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    for _ in 0..<warmRounds { try context.instance(of: provider, plugin, on: host).live(on: host) }
    let descriptors = ProcessState.descriptorCount
    let threads = ProcessState.threads
    for _ in 0..<rounds { try context.instance(of: provider, plugin, on: host).live(on: host) }
    let moreDescriptors = ProcessState.descriptorCount - descriptors
    let moreThreads = ProcessState.threadsLeft(beyond: threads)
    return moreDescriptors <= 0 && moreThreads == 0
      ? .pass()
      : .fail(
        expected: "as many descriptors and threads as before",
        found: "\(moreDescriptors) more descriptors, \(moreThreads) more threads")
  }

  private static let memoryBytesLimit = 4 << 20

  static let memory = CreateChecks.check(
    "create-destroy-memory", rule: "PRV-C5", proves: "A hundred instances leave less than 4 MiB of memory behind."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    for _ in 0..<rounds { try context.instance(of: provider, plugin, on: host).live(on: host) }
    let before = ProcessState.residentBytes
    for _ in 0..<rounds { try context.instance(of: provider, plugin, on: host).live(on: host) }
    let more = max(0, ProcessState.residentBytes - before)
    let shown = "\(more >> 10) KiB more after \(rounds) instances"
    return more < memoryBytesLimit
      ? .pass(shown) : .warn(expected: "less than \(memoryBytesLimit >> 10) KiB", found: shown)
  }

  static let leavesNoThread = CreateChecks.check(
    "destroy-leaves-no-thread", rule: "PRV-R014",
    proves: "When `destroy` has returned, no thread of the instance is left."
  ) { context, plugin, provider throws(CheckStop) in
    let before = ProcessState.threads
    let host = context.host(for: provider)
    try context.instance(of: provider, plugin, on: host).live(on: host)
    let left = ProcessState.threadsLeft(beyond: before)
    return left == 0 ? .pass() : .fail(expected: "no thread more than before", found: "\(left)")
  }

  static let silentAfterDestroy = CreateChecks.check(
    "destroy-silent", rule: "PRV-R014",
    proves: "After `destroy` it calls no host function; without a call it emits nothing and ends nothing."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    try context.instance(of: provider, plugin, on: host).live(on: host)
    host.notes.withLock { $0.isOver = true }
    // What it posted before may still run, and must not call; a loop would do the same.
    host.runJobs()
    let strange = host.notes.withLock(\.strange)
    return strange.isEmpty
      ? .pass()
      : .fail(expected: "no host function for what is gone", found: Set(strange).sorted().joined(separator: ", "))
  }

  static let processUnchanged = Check(
    "create-no-side-effects", rule: "PRV-R012", category: .create, needs: .instance,
    proves: "An instance prints nothing, starts no process and leaves signals, locale, directory, environment alone."
  ) { context throws(CheckStop) in
    let watch = try SyscallWatch([.output, .place, .processes])
    return try context.eachProvider { (plugin, provider) throws(CheckStop) in
      let host = context.host(for: provider)
      var before = ProcessState.now()
      var after = before
      let calls = try watch.during { () throws(CheckStop) in
        try context.instance(of: provider, plugin, on: host).live(on: host)
        after = .now()
      }
      // Threads and descriptors have checks of their own.
      before.threads = after.threads
      before.descriptors = after.descriptors
      let changes = before.changes(to: after) + calls
      return changes.isEmpty
        ? .pass() : .fail(expected: "a process as it was", found: changes.joined(separator: "; "))
    }
  }

  static let tableUnchanged = CreateChecks.check(
    "descriptor-unchanged-by-create", rule: "PRV-C5", proves: "Making and destroying instances changes no descriptor."
  ) { context, plugin, provider throws(CheckStop) in
    let before = plugin.tableBytes
    let host = context.host(for: provider)
    try context.instance(of: provider, plugin, on: host).live(on: host)
    let after = try context.descriptor().description
    return plugin.tableBytes == before && after == plugin.description
      ? .pass() : .fail(expected: "a descriptor that is [static] and immutable", found: "it changed")
  }

  static let unstarted = CreateChecks.check(
    "destroy-unstarted", rule: "PRV-R013", proves: "An instance can be destroyed without having been started."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    try context.instance(of: provider, plugin, on: host).destroy()
    return .pass()
  }

  static let anyThread = CreateChecks.check(
    "create-any-thread", rule: "PRV-C7", proves: "An instance may be made on one thread and destroyed on another."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    let made = Mutex<CreateAnswer?>(nil)
    let settings = host.settings.text
    ThreadGroup.run(1) { _ in
      let answer = plugin.create(provider.id, on: host, settings: settings, context.crumbs)
      made.withLock { $0 = answer }
    }
    guard let answer = made.withLock({ $0 }), let instance = answer.instance else {
      return .fail(
        expected: "PRV_OK on any thread", found: made.withLock { $0 }.map(\.description) ?? "no answer")
    }
    ThreadGroup.run(1) { _ in _ = instance.start() }
    host.runJobs()
    ThreadGroup.run(1) { _ in
      instance.stop()
      instance.destroy()
    }
    return .pass()
  }

  private static let threads = 8
  private static let instancesPerThread = 50

  static let concurrent = CreateChecks.check(
    "create-concurrent", rule: "PRV-C7", proves: "Eight threads make and destroy instances at once."
  ) { context, plugin, provider throws(CheckStop) in
    let host = context.host(for: provider)
    let settings = host.settings.text
    let refused = Mutex<String?>(nil)
    ThreadGroup.run(threads) { _ in
      for _ in 0..<instancesPerThread {
        let answer = plugin.create(provider.id, on: host, settings: settings, context.crumbs)
        guard let instance = answer.instance else {
          refused.withLock { $0 = answer.description }
          return
        }
        _ = instance.start()
        instance.destroy()
      }
    }
    return refused.withLock { $0 }.map { .fail(expected: "PRV_OK on each thread", found: $0) } ?? .pass()
  }
}
