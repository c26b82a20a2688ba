internal import Decisions
internal import Glibc
internal import SystemLibraries

/// Keeps the history's file open, writes to it, and gets over what goes wrong with it. Thread: the history's own, since
/// everything blocks for as long as the disk does.
final class HistoryWriter {
  /// Between two tries after a failure.
  static let retryMilliseconds: UInt64 = 5_000
  /// Damaged files that are moved out of the way in the life of a host.
  static let asideLimit = 8

  private let path: String
  private let tiers: HistoryTiers
  private let maxBytes: Int64
  private let log: Log
  private let load: () throws(SharedLibrary.LoadError) -> SQLite
  private var file: HistoryFile?
  /// The file that was opened: whoever deletes or replaces it gets a new one.
  private var inode: UInt64 = 0
  private var trims = 0
  private var setAsideCount = 0
  private(set) var status: HistoryStatus
  /// Nothing is written before.
  private(set) var retryAt = Instant(nanoseconds: 0)

  init(
    path: String, tiers: HistoryTiers, maxBytes: Int64, log: Log,
    load: @escaping () throws(SharedLibrary.LoadError) -> SQLite = SQLite.load
  ) {
    self.path = path
    self.tiers = tiers
    self.maxBytes = maxBytes
    self.log = log
    self.load = load
    status = HistoryStatus(path: path)
  }

  /// Of the file; 0: none is open.
  var bytes: Int64 { (try? file?.bytes) ?? 0 }

  /// Opens the file if none is open. A damaged one is set aside and another made.
  @discardableResult
  func open(now: Instant) -> HistoryFile? {
    status.forgetAside { access($0, F_OK) != 0 }
    if let file, inode == Self.inode(of: path) { return file }
    file = nil
    do throws(HistoryFault) {
      let opened = try openOrReplace()
      file = opened
      inode = Self.inode(of: path)
      trims = 0
      say(status.opened())
      return opened
    } catch {
      fail(error, now)
      return nil
    }
  }

  private func openOrReplace() throws(HistoryFault) -> HistoryFile {
    do throws(HistoryFault) {
      return try openOnce()
    } catch {
      guard error.isCorrupt else { throw error }
      try setAside(error)
      return try openOnce()
    }
  }

  private func openOnce() throws(HistoryFault) -> HistoryFile {
    let sqlite: SQLite
    do throws(SharedLibrary.LoadError) {
      sqlite = try load()
    } catch {
      throw .library(error)
    }
    return try HistoryFile(path: path, tiers: tiers, maxBytes: maxBytes, sqlite: sqlite)
  }

  /// false: it was not written, and may be offered again from `retryAt` on.
  func write(_ sample: HistorySample, now: Instant) -> Bool {
    guard let file = open(now: now) else { return false }
    do throws(HistoryFault) {
      try file.append(sample)
    } catch {
      fail(error, now)
      return false
    }
    say(status.wrote())
    if file.trims > trims {
      trims = file.trims
      log.info("History was cut to its size", ("path", path), ("max_bytes", "\(maxBytes)"))
    }
    return true
  }

  func answer(_ query: HistoryQuery, now: Instant) -> Result<HistoryAnswer, HistoryFault> {
    guard let file = retryAt <= now ? open(now: now) : file else {
      return .failure(.notOpen(status.report.message))
    }
    do throws(HistoryFault) {
      return .success(try file.answer(query))
    } catch {
      if case .tooMany = error {} else { fail(error, now) }
      return .failure(error)
    }
  }

  func close() { file = nil }

  // MARK: - Failures

  private func fail(_ fault: HistoryFault, _ now: Instant) {
    if fault.isCorrupt, file != nil {
      file = nil
      do throws(HistoryFault) {
        try setAside(fault)
        retryAt = now
        return
      } catch {
        return note(error, now)
      }
    }
    // A connection that met a failing disk is not trusted with the next one; one that met a full disk is as good as new.
    if case .database(let fault) = fault, fault.kind == .full || fault.kind == .busy {} else { file = nil }
    note(fault, now)
  }

  private func note(_ fault: HistoryFault, _ now: Instant) {
    retryAt = now.advanced(milliseconds: Self.retryMilliseconds)
    say(status.failed(fault))
  }

  /// Moves the file and what belongs to it out of the way; it is never deleted.
  private func setAside(_ fault: HistoryFault) throws(HistoryFault) {
    guard setAsideCount < Self.asideLimit else {
      throw .cannotSetAside("the database was damaged \(setAsideCount + 1) times since the start: \(fault.message)")
    }
    setAsideCount += 1
    let target = Self.asideName(path)
    guard rename(path, target) == 0 else {
      let why = String(cString: strerror(errno))
      throw .cannotSetAside("\(fault.message); it cannot be renamed to \(target): \(why)")
    }
    // Usually there is none: SQLite has no use for them when it opens the other.
    for suffix in ["-wal", "-shm"] { rename(path + suffix, target + suffix) }
    status.setAside(target)
    log.error(
      "The history was damaged and begins anew", ("path", path), ("reason", fault.message), ("set_aside", target),
      ("remedy", "look at \(target), then move it away or delete it"))
  }

  /// A name that nothing has: the time, and a number if need be.
  private static func asideName(_ path: String) -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let day = "\(1900 + parts.tm_year)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))"
    let stamp = "\(path).damaged-\(day)T\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))Z"
    var name = stamp
    var number = 2
    while access(name, F_OK) == 0 {
      name = "\(stamp)-\(number)"
      number += 1
    }
    return name
  }

  private static func inode(of path: String) -> UInt64 {
    var information = stat()
    return stat(path, &information) == 0 ? UInt64(information.st_ino) : 0
  }

  private func say(_ line: HistoryStatus.Line?) {
    switch line {
    case nil: break
    case .kept: log.info("History is kept", ("path", path), ("bytes", "\(bytes)"))
    case .failing(let reason, let remedy):
      log.warning("History is not kept", ("path", path), ("reason", reason), ("remedy", remedy))
    }
  }
}
