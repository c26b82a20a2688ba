internal import Decisions
internal import Glibc

/// What waits for the history's thread: samples, the oldest of which go when there are too many, and questions, which are
/// refused then and go first otherwise, since somebody waits for them.
///
/// Thread: any. `@unchecked Sendable`: everything is touched under the mutex only.
final class HistoryQueue: @unchecked Sendable {
  typealias Reply = @Sendable (Result<HistoryAnswer, HistoryFault>) -> Void

  enum Next {
    case sample(HistorySample)
    case question(HistoryQuery, Reply)
    case timeout
    /// Nothing comes any more, and nothing is left that may be taken.
    case closed
  }

  /// Ten minutes of samples: for so long a disk may stand still, or be full, and nothing is lost.
  static let samplesLimit = 60
  static let questionsLimit = 16

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var samples: [HistorySample] = []
  private var questions: [(HistoryQuery, Reply)] = []
  private var lost: UInt64 = 0
  private var isClosed = false

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Samples that wait.
  var count: Int { locked { samples.count } }
  /// Samples that were dropped, since there was no room or the end came first.
  var dropped: UInt64 { locked { lost } }

  /// Adds the newest sample; the oldest goes if there is no room.
  func offer(_ sample: HistorySample) {
    locked {
      guard !isClosed else { return lost &+= 1 }
      if samples.count >= Self.samplesLimit {
        samples.removeFirst()
        lost &+= 1
      }
      samples.append(sample)
      pthread_cond_signal(condition)
    }
  }

  /// Puts a sample back that could not be written; it is the oldest.
  func giveBack(_ sample: HistorySample) {
    locked {
      guard !isClosed, samples.count < Self.samplesLimit else { return lost &+= 1 }
      samples.insert(sample, at: 0)
    }
  }

  /// false: too many wait, or nobody answers any more; `reply` is not called.
  func ask(_ query: HistoryQuery, _ reply: @escaping Reply) -> Bool {
    locked {
      guard !isClosed, questions.count < Self.questionsLimit else { return false }
      questions.append((query, reply))
      pthread_cond_signal(condition)
      return true
    }
  }

  /// Waits for what is to be done next, until `deadline`.
  ///
  /// - Parameter takesSamples: false: they wait.
  func next(takesSamples: Bool, until deadline: Instant) -> Next {
    let seconds = Int(clamping: min(deadline.nanoseconds, UInt64(Int64.max)) / 1_000_000_000)
    var time = timespec(tv_sec: seconds, tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
    return locked {
      while true {
        if !questions.isEmpty {
          let (query, reply) = questions.removeFirst()
          return .question(query, reply)
        }
        if takesSamples, !samples.isEmpty { return .sample(samples.removeFirst()) }
        if isClosed { return .closed }
        if deadline == .never {
          pthread_cond_wait(condition, mutex)
        } else if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT {
          return .timeout
        }
      }
    }
  }

  /// Nothing more is taken; what waits may still be.
  func close() {
    locked {
      isClosed = true
      pthread_cond_broadcast(condition)
    }
  }
}
