internal import CProviderABI
internal import Glibc
internal import Synchronization

/// The one exported function: what it answers to this host, to others, and to what is no host.
enum EntryChecks {
  static let all = [
    answers, idempotent, scanPure, time, newerHost, shortHandshake, badMagic, newerMinimum, shortReply,
  ]

  static let answers = Check(
    "entry-answers", rule: "PRV-R003", category: .entry, needs: .loaded,
    proves: "The entry answers this host with PRV_OK and a descriptor."
  ) { context throws(CheckStop) in
    let answer = try context.library().ask(flags: 0)
    return answer.status == PRV_OK && answer.plugin != nil
      ? .pass() : .fail(expected: "PRV_OK and prv_reply.plugin", found: answer.description)
  }

  private static let threads = 8
  private static let callsPerThread = 100

  static let idempotent = Check(
    "entry-idempotent", rule: "PRV-R002", category: .entry, needs: .entry,
    proves: "The entry gives the same descriptor each time, from eight threads at once."
  ) { context throws(CheckStop) in
    let library = try context.library()
    let first = library.ask()
    let strange = Mutex<String?>(nil)
    ThreadGroup.run(threads) { _ in
      for _ in 0..<callsPerThread {
        let answer = library.ask()
        if answer.status == first.status && answer.plugin == first.plugin { continue }
        strange.withLock { $0 = answer.plugin == nil ? answer.description : "another descriptor" }
      }
    }
    return strange.withLock { $0 }.map { .fail(expected: "the descriptor of the first call", found: $0) } ?? .pass()
  }

  static let scanPure = Check(
    "entry-scan-pure", rule: "PRV-R002", category: .entry, needs: .entry,
    proves: "The entry opens no file, starts no thread, touches no network and changes nothing of the process."
  ) { context throws(CheckStop) in
    let library = try context.library()
    let watch = try SyscallWatch([.files, .network, .tasks, .signals, .output, .place])
    let before = ProcessState.now()
    let calls = try watch.during { () throws(CheckStop) in
      _ = library.ask(flags: PRV_HANDSHAKE_SCAN | PRV_HANDSHAKE_VALIDATE)
    }
    let changes = calls + before.changes(to: .now())
    return changes.isEmpty
      ? .pass() : .fail(expected: "an entry without side effects", found: changes.joined(separator: "; "))
  }

  private static let slowMilliseconds = 10.0

  static let time = Check(
    "entry-time", rule: "PRV-R002", category: .entry, needs: .entry,
    proves: "The first call of the entry takes at most 10 ms."
  ) { context throws(CheckStop) in
    let library = try context.library()
    let (_, milliseconds) = try MonotonicClock.measure { () throws(CheckStop) in
      _ = library.ask(flags: PRV_HANDSHAKE_SCAN)
    }
    return .timed(milliseconds, limit: slowMilliseconds, "the entry")
  }

  static let newerHost = Check(
    "entry-newer-host-minor", rule: "PRV-R003", category: .entry, needs: .entry,
    proves: "A host of a newer minor, with longer structs and flags of its own, is answered as this one is."
  ) { context throws(CheckStop) in
    let library = try context.library()
    let answer = try GuardedMemory.lend(count: 128) { (memory) throws(CheckStop) in
      lend("patchbay") { name in
        lend("9.9.9") { version in
          let handshake = memory.baseAddress!.bindMemory(to: prv_handshake.self, capacity: 1)
          handshake.initialize(
            to: prv_handshake(
              size: 128, flags: PRV_HANDSHAKE_VALIDATE | 0x8000_0000, magic: UInt64(PRV_MAGIC),
              abi_minor: PRV_ABI_MINOR + 1, min_abi_minor: 0, host_name: name, host_version: version))
          return library.ask(handshake)
        }
      }
    }
    return answer.status == PRV_OK && answer.plugin != nil
      ? .pass() : .fail(expected: "PRV_OK and a descriptor", found: answer.description)
  }

  static let shortHandshake = Check(
    "entry-older-host-minor", rule: "PRV-C1", category: .entry, needs: .entry,
    proves: "The entry reads no field that the handshake's size does not cover."
  ) { context throws(CheckStop) in
    let library = try context.library()
    // The names are not there: behind min_abi_minor the memory ends.
    let size = MemoryLayout<prv_handshake>.offset(of: \.host_name)!
    let answer = try GuardedMemory.lend(count: size) { (memory) throws(CheckStop) in
      memory.storeBytes(of: UInt32(size), as: UInt32.self)
      memory.storeBytes(of: PRV_HANDSHAKE_VALIDATE, toByteOffset: 4, as: UInt32.self)
      memory.storeBytes(of: UInt64(PRV_MAGIC), toByteOffset: 8, as: UInt64.self)
      memory.storeBytes(of: PRV_ABI_MINOR, toByteOffset: 16, as: UInt32.self)
      return library.ask(memory.baseAddress!.assumingMemoryBound(to: prv_handshake.self))
    }
    return answer.status == PRV_OK && answer.plugin != nil
      ? .pass() : .fail(expected: "PRV_OK, whatever the host is called", found: answer.description)
  }

  static let badMagic = Check(
    "entry-bad-magic", rule: "PRV-R003", category: .entry, needs: .entry,
    proves: "What is no Patchbay host is refused with PRV_E_INCOMPATIBLE and a sentence."
  ) { context throws(CheckStop) in
    refusal(try context.library().ask { $0.magic = 0x4143_4B45_5253_2121 })
  }

  static let newerMinimum = Check(
    "entry-newer-minimum", rule: "PRV-R003", category: .entry, needs: .entry,
    proves: "A host that asks for a newer minor at least is refused with PRV_E_INCOMPATIBLE and a sentence."
  ) { context throws(CheckStop) in
    refusal(
      try context.library().ask {
        $0.abi_minor = 1_000_000
        $0.min_abi_minor = 1_000_000
      })
  }

  private static func refusal(_ answer: EntryAnswer) -> Verdict {
    answer.status == PRV_E_INCOMPATIBLE && !answer.sentence.isEmpty
      ? .pass()
      : .fail(expected: "PRV_E_INCOMPATIBLE (\(PRV_E_INCOMPATIBLE)) and a sentence in error", found: answer.description)
  }

  static let shortReply = Check(
    "entry-writes-within-size", rule: "PRV-C1", category: .entry, needs: .entry,
    proves: "The entry writes no field of the reply that the host's size does not cover."
  ) { context throws(CheckStop) in
    let library = try context.library()
    let answer = try GuardedMemory.lend(count: MemoryLayout<prv_reply>.size) { (memory) throws(CheckStop) in
      library.ask(into: memory.baseAddress!.bindMemory(to: prv_reply.self, capacity: 1))
    }
    return answer.status == PRV_OK && answer.plugin != nil
      ? .pass() : .fail(expected: "PRV_OK and a descriptor", found: answer.description)
  }
}
