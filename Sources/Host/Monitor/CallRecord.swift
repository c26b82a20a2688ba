import Decisions

/// What happened to one call and when, so that an operator can follow it: while it runs, and for a while after.
///
/// A record is used again for another call (`CallRecords`), so that most calls cost no allocation for it. Its memory is
/// bounded: `marksLimit` marks and `gapsLimit` gaps. Thread: the loop's.
final class CallRecord {
  enum Mark: String, Sendable {
    case received, queued, admitted, opened, connected
    case firstToken = "first_token"
    /// A try failed, and the call goes on.
    case attemptFailed = "attempt_failed"
    case retry
    /// Another model is asked.
    case fallback
    /// The client reads slowly: the provider waits.
    case paused
    case resumed, cancel
    case abortedUpstream = "aborted_upstream"
  }

  struct Entry: Sendable {
    var mark: Mark
    /// Since the call was received, at most `UInt32.max` (71 minutes; a call may take 60).
    var microseconds: UInt32
    var detail: String
  }

  /// The time between a piece of the answer and the one before it.
  struct Gap: Sendable {
    /// When the later one came, as `Entry` has it.
    var atMicroseconds: UInt32
    var microseconds: UInt32
  }

  static let marksLimit = 96
  static let gapsLimit = 200
  /// A client that reads in jerks could fill the record with these.
  private static let pausesLimit = 48

  private(set) var receivedAt = Instant.never
  private(set) var firstTokenAt = Instant.never
  private(set) var lastChunkAt = Instant.never
  private(set) var chunks: UInt64 = 0
  private(set) var maxGapMicroseconds: UInt32 = 0
  /// Places of the call before are written over: `entriesCount` and `gapsCount` tell which are this one's.
  private var entryPlaces: [Entry] = []
  private var entriesCount = 0
  /// A ring once it is full; the oldest stands at `chunks - 1` modulo its length then.
  private var gapPlaces: [Gap] = []
  private var gapsCount = 0
  private var pauses = 0
  /// Set at the end.
  private(set) var summary: CallSummary?

  /// Begins anew, for another call.
  func begin(receivedAt: Instant) {
    self.receivedAt = receivedAt
    firstTokenAt = .never
    lastChunkAt = .never
    chunks = 0
    maxGapMicroseconds = 0
    entriesCount = 0
    gapsCount = 0
    pauses = 0
    summary = nil
  }

  func mark(_ mark: Mark, _ detail: String = "", now: Instant) {
    guard entriesCount < Self.marksLimit else { return }
    if mark == .paused || mark == .resumed {
      guard pauses < Self.pausesLimit else { return }
      pauses += 1
    }
    // A turn's time is a little older than the clock's.
    let last = entriesCount > 0 ? entryPlaces[entriesCount - 1].microseconds : 0
    let entry = Entry(mark: mark, microseconds: max(last, offset(now)), detail: detail)
    if entriesCount < entryPlaces.count { entryPlaces[entriesCount] = entry } else { entryPlaces.append(entry) }
    entriesCount &+= 1
  }

  /// A piece of the answer came.
  func chunk(now: Instant) {
    if chunks == 0 {
      firstTokenAt = now
      mark(.firstToken, now: now)
    } else {
      let gap = Gap(
        atMicroseconds: offset(now), microseconds: UInt32(clamping: now.nanoseconds(since: lastChunkAt) / 1000))
      maxGapMicroseconds = max(maxGapMicroseconds, gap.microseconds)
      if gapsCount == Self.gapsLimit {
        gapPlaces[Int((chunks - 1) % UInt64(Self.gapsLimit))] = gap
      } else {
        if gapsCount < gapPlaces.count { gapPlaces[gapsCount] = gap } else { gapPlaces.append(gap) }
        gapsCount &+= 1
      }
    }
    lastChunkAt = now
    chunks &+= 1
  }

  func close(_ summary: consuming CallSummary) { self.summary = consume summary }

  var entries: [Entry] { Array(entryPlaces[..<entriesCount]) }

  /// The last gaps, oldest first.
  var lastGaps: [Gap] {
    guard gapsCount == Self.gapsLimit else { return Array(gapPlaces[..<gapsCount]) }
    let oldest = Int((chunks - 1) % UInt64(Self.gapsLimit))
    return Array(gapPlaces[oldest...] + gapPlaces[..<oldest])
  }

  private func offset(_ now: Instant) -> UInt32 { UInt32(clamping: now.nanoseconds(since: receivedAt) / 1000) }
}

/// The facts of one call as lists show them, live or ended.
struct CallSummary: Sendable {
  enum State: Sendable {
    /// `phase` as the feed names it.
    case live(phase: String, isPaused: Bool)
    case ended(outcome: String, error: CallError?, at: Instant)
  }

  /// Names the call uniquely in this run of the host, whatever its client called it.
  var ticket: Ticket
  /// The client's id as a JSON string with its quotes.
  var id: [UInt8]
  var session: Int
  /// Its number; nil: nobody needs a token here.
  var principal: Int?
  var model: ModelEntry
  var tool: String
  var attempts: Int
  var receivedAt: Instant
  var queuedNanoseconds: UInt64
  /// `never`: none came.
  var firstTokenAt: Instant
  var lastChunkAt: Instant
  var chunks: UInt64
  var maxGapMicroseconds: UInt32
  var state: State

  /// It ran, and not to its end.
  var isFailure: Bool {
    guard case .ended(let outcome, _, _) = state else { return false }
    return outcome == CallOutcome.failed.rawValue || outcome == CallOutcome.truncated.rawValue
  }
}

/// One call with all that was noted of it.
struct CallTimeline: Sendable {
  var summary: CallSummary
  var entries: [CallRecord.Entry]
  var gaps: [CallRecord.Gap]
}
