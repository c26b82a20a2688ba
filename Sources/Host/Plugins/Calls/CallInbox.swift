internal import CProviderABI
import Decisions
internal import Synchronization

/// A function of a plugin with its argument.
///
/// `@unchecked Sendable`: the plugin handed the argument over to be given back on a loop.
struct PluginJob: @unchecked Sendable {
  var function: @convention(c) (UnsafeMutableRawPointer?) -> Void
  var argument: UnsafeMutableRawPointer?

  func run() { function(argument) }
}

/// What other threads want of one loop's calls, in the order they asked.
///
/// At most one wake-up job waits in the loop's mailbox, so this never crowds it.
final class CallInbox: Sendable {
  enum Item: Sendable {
    case event(CallSlot, generation: UInt32, CopiedEvent)
    case end(CallSlot, generation: UInt32, ProviderEnd)
    case fault(CallSlot, generation: UInt32, ProviderFailure)
    case job(PluginJob)
    case callJob(CallSlot, PluginJob)
    case timer(CallSlot, part: Int, generation: UInt32, Instant)
    case request(CallSlot, ProviderExchange, UpstreamRequest)
    case cancelExchange(CallSlot, ProviderExchange)
    case cancelAll(ProviderCancelReason)
  }

  private static let itemsLimit = 65_536

  private struct Contents {
    var items: [Item] = []
    var isWakePosted = false
  }

  private let contents = Mutex(Contents())

  /// Appends `item`, and wakes the loop with `wake` when nobody did since the last `take`. False: nothing was appended,
  /// because the inbox is full (not with `mustKeep`) or the loop cannot be woken.
  func append(_ item: Item, mustKeep: Bool, wake: () -> Bool) -> Bool {
    contents.withLock { contents in
      guard mustKeep || contents.items.count < Self.itemsLimit else { return false }
      if !contents.isWakePosted { contents.isWakePosted = wake() }
      guard contents.isWakePosted else { return false }
      contents.items.append(item)
      return true
    }
  }

  /// All items so far; the next `append` wakes the loop again.
  func take() -> [Item] {
    contents.withLock { contents in
      contents.isWakePosted = false
      let items = contents.items
      contents.items = []
      return items
    }
  }
}
