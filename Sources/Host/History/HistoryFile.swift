internal import Glibc
internal import JSON

/// The samples of the past in one SQLite file, bounded by age and by size. Thread: one at a time; everything blocks.
///
/// | table    | holds                                                                                     |
/// |----------|-------------------------------------------------------------------------------------------|
/// | `series` | a metric's name, and the values of its labels as a JSON array                              |
/// | `points` | by tier (`HistoryTiers`), series and time: the value                                       |
/// | `rolled` | of each coarser tier: before what time everything was put together                         |
///
/// Each sample is one transaction, with all that follows from it, so that a process that is killed leaves whole samples.
/// The write-ahead log is not synced at each (`synchronous = NORMAL`): when the machine loses its power the last minutes
/// may be missing, and nothing is damaged.
final class HistoryFile {
  /// "PtBh": what tells the file from other programs' databases.
  static let applicationID: Int64 = 0x5074_4268
  static let version: Int64 = 1
  static let pageBytes: Int64 = 4_096
  /// Series that the file may have; what is new beyond it is not kept.
  static let seriesLimit = 16_384
  /// Points of one answer, all series together.
  static let answerPointsLimit = 200_000
  /// Tenths that are cut off at once to keep to the size.
  private static let trimsAtOnce = 24

  let path: String
  private let plan: HistoryTiers
  private var tiers: [HistoryTiers.Tier] { plan.tiers }
  private let maxBytes: Int64
  private let database: Database
  private let statements: HistoryStatements
  private var ids: [HistorySeries: Int64] = [:]
  /// Of tiers 1 and 2; nil: nothing was put together yet.
  private var rolled: [Int64?] = [nil, nil]
  /// The time of the newest sample; nil: there is none.
  private(set) var newest: Int64?
  /// How often the oldest was cut off to keep to the size, since the file was opened.
  private(set) var trims = 0

  /// Opens the file, or makes it, and looks whether it is whole.
  init(path: String, tiers: HistoryTiers, maxBytes: Int64, sqlite: SQLite) throws(HistoryFault) {
    self.path = path
    plan = tiers
    self.maxBytes = maxBytes
    // SQLite would make it readable for everybody. What goes wrong here goes wrong for SQLite too, which then says it.
    let made = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    if made >= 0 { close(made) }
    let database = try Self.wrapped { () throws(DatabaseFault) in try Database(path, with: sqlite) }
    let isNew = try Self.isNew(database)
    try Self.wrapped { () throws(DatabaseFault) in
      if isNew { try database.run("PRAGMA auto_vacuum = INCREMENTAL", doing: "make the database") }
      for setting in [
        "journal_mode = WAL", "synchronous = NORMAL", "journal_size_limit = 4194304", "cache_size = -2048",
        "temp_store = MEMORY", "max_page_count = \(max(1, maxBytes / Self.pageBytes))",
      ] { try database.run("PRAGMA \(setting)", doing: "open the database") }
      if isNew { try Self.make(database) }
    }
    let state = try Self.wrapped { () throws(DatabaseFault) in
      try database.text("PRAGMA quick_check(1)", doing: "check the database")
    }
    guard state == "ok" else { throw .damaged(state ?? "its check gives no answer") }
    self.database = database
    statements = try Self.wrapped { () throws(DatabaseFault) in try HistoryStatements(database) }
    try Self.wrapped { () throws(DatabaseFault) in try load() }
  }

  private static func wrapped<Result>(_ body: () throws(DatabaseFault) -> Result) throws(HistoryFault) -> Result {
    do throws(DatabaseFault) {
      return try body()
    } catch {
      throw .database(error)
    }
  }

  // MARK: - Opening

  /// Whether nothing is in it; refuses what is not ours.
  private static func isNew(_ database: Database) throws(HistoryFault) -> Bool {
    let (id, found, tables) = try wrapped { () throws(DatabaseFault) in
      (
        try database.number("PRAGMA application_id", doing: "open the database") ?? 0,
        try database.number("PRAGMA user_version", doing: "open the database") ?? 0,
        try database.number("SELECT count(*) FROM sqlite_master", doing: "open the database") ?? 0
      )
    }
    if id == 0, found == 0, tables == 0 { return true }
    guard id == applicationID else { throw .foreign(applicationID: id) }
    guard found == version else { throw .newer(version: found, known: version) }
    return false
  }

  private static func make(_ database: Database) throws(DatabaseFault) {
    try database.transaction(doing: "make the database") { () throws(DatabaseFault) in
      for text in [
        "CREATE TABLE series (id INTEGER PRIMARY KEY, metric TEXT NOT NULL, labels TEXT NOT NULL, UNIQUE (metric, labels))",
        "CREATE TABLE points (tier INTEGER NOT NULL, series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL,"
          + " PRIMARY KEY (tier, series, at)) WITHOUT ROWID",
        "CREATE TABLE rolled (tier INTEGER PRIMARY KEY, until INTEGER NOT NULL)",
        "PRAGMA application_id = \(applicationID)", "PRAGMA user_version = \(version)",
      ] { try database.run(text, doing: "make the database") }
    }
  }

  /// What is known of the file without reading it again; after a failed transaction it is read anew.
  private func load() throws(DatabaseFault) {
    ids = [:]
    rolled = [nil, nil]
    newest = nil
    let all = try Statement("SELECT id, metric, labels FROM series", of: database, doing: "read history")
    try all.rows([]) { row in
      guard let values = Self.values(row.text(2)) else { return }
      ids[HistorySeries(metric: row.text(1), values: values)] = row.integer(0)
    }
    let tiers = try Statement(
      "SELECT tier, until FROM rolled WHERE tier IN (1, 2)", of: database, doing: "read history")
    try tiers.rows([]) { row in rolled[Int(row.integer(0)) - 1] = row.integer(1) }
    for id in ids.values {
      try statements.newest.rows([.integer(id)]) { row in
        if !row.isNull(0) { newest = max(newest ?? .min, row.integer(0)) }
      }
    }
  }

  private static func labels(_ values: [String]) -> String { JSONValue.array(values.map(JSONValue.string)).text }

  private static func values(_ labels: String) -> [String]? {
    (try? JSONValue(parsing: labels))?.array?.map { $0.string ?? "" }
  }

  // MARK: - Writing

  /// Writes a sample and does what is due: puts together, drops what is old, keeps to the size. All of it, or nothing.
  func append(_ sample: HistorySample) throws(HistoryFault) {
    do throws(DatabaseFault) {
      try database.transaction(doing: "write a sample") { () throws(DatabaseFault) in try write(sample) }
      try keepToSize()
    } catch {
      // What was remembered of the transaction is not there.
      try Self.wrapped { () throws(DatabaseFault) in try load() }
      throw .database(error)
    }
  }

  private func write(_ sample: HistorySample) throws(DatabaseFault) {
    for point in sample.points {
      guard let id = try id(of: point.series) else { continue }
      try statements.insertPoint.run(.integer(id), .integer(sample.at), .real(point.value))
    }
    newest = sample.at
    guard try rollUp(1, complete: sample.at) else { return }
    let hasGotOn = try rollUp(2, complete: rolled[0] ?? sample.at)
    // After both, so that nothing goes that was not put together.
    try dropOld(sample.at)
    if hasGotOn { try dropSeries() }
  }

  /// nil: there are as many as there may be.
  private func id(of series: HistorySeries) throws(DatabaseFault) -> Int64? {
    if let id = ids[series] { return id }
    guard ids.count < Self.seriesLimit else { return nil }
    let labels = Self.labels(series.values)
    try statements.insertSeries.run(.text(series.metric), .text(labels))
    let id = try database.number(
      "SELECT id FROM series WHERE metric = ? AND labels = ?", .text(series.metric), .text(labels),
      doing: "write a series")
    ids[series] = id
    return id
  }

  /// true: the tier has got on.
  private func rollUp(_ tier: Int, complete: Int64) throws(DatabaseFault) -> Bool {
    let step = tiers[tier].step
    let due = HistoryTiers.due(step: step, until: rolled[tier - 1], complete: complete)
    guard due.until != rolled[tier - 1] else { return false }
    if !due.part.isEmpty {
      for (series, id) in ids {
        let combination = HistoryMetric.named(series.metric)?.combination ?? .mean
        try (combination == .mean ? statements.rollMean : statements.rollLargest).run(
          .integer(Int64(tier)), .integer(step), .integer(Int64(tier - 1)), .integer(id),
          .integer(due.part.lowerBound), .integer(due.part.upperBound))
      }
    }
    try statements.setRolled.run(.integer(Int64(tier)), .integer(due.until))
    rolled[tier - 1] = due.until
    return true
  }

  private func dropOld(_ now: Int64) throws(DatabaseFault) {
    for (index, tier) in tiers.enumerated() {
      for id in ids.values { try drop(tier: index, series: id, before: now - tier.keep) }
    }
  }

  private func drop(tier: Int, series: Int64, before: Int64) throws(DatabaseFault) {
    try statements.deleteBefore.run(.integer(Int64(tier)), .integer(series), .integer(before))
  }

  /// Series of which nothing is left.
  private func dropSeries() throws(DatabaseFault) {
    for (series, id) in ids {
      var hasPoints = false
      for tier in tiers.indices {
        try statements.hasPoints.rows([.integer(Int64(tier)), .integer(id)]) { _ in hasPoints = true }
      }
      guard !hasPoints else { continue }
      try database.run("DELETE FROM series WHERE id = ?", .integer(id), doing: "drop what is old")
      ids[series] = nil
    }
  }

  // MARK: - The size

  /// Of the file, its log apart, which has at most 4 MiB more.
  var bytes: Int64 {
    get throws(HistoryFault) {
      try Self.wrapped { () throws(DatabaseFault) in
        try database.number("PRAGMA page_count", doing: "measure the database") ?? 0
      } * Self.pageBytes
    }
  }

  private func usedPages() throws(DatabaseFault) -> Int64 {
    let all = try database.number("PRAGMA page_count", doing: "measure the database") ?? 0
    return all - (try database.number("PRAGMA freelist_count", doing: "measure the database") ?? 0)
  }

  /// Over nine tenths of the bound, the oldest tenth of each tier goes, until it fits.
  private func keepToSize() throws(DatabaseFault) {
    let bound = max(1, maxBytes / Self.pageBytes * 9 / 10)
    var cuts = 0
    while cuts < Self.trimsAtOnce, try usedPages() > bound, let newest {
      cuts += 1
      try cutTenth(newest)
      try database.run("PRAGMA incremental_vacuum", doing: "keep to the size")
    }
    if cuts > 0 { trims += 1 }
  }

  private func cutTenth(_ newest: Int64) throws(DatabaseFault) {
    try database.transaction(doing: "keep to the size") { () throws(DatabaseFault) in
      for tier in tiers.indices {
        var oldest: Int64?
        for id in ids.values {
          try statements.oldest.rows([.integer(Int64(tier)), .integer(id)]) { row in
            if !row.isNull(0) { oldest = min(oldest ?? .max, row.integer(0)) }
          }
        }
        guard let oldest, oldest <= newest else { continue }
        let cut = oldest + max(1, (newest - oldest) / 10)
        for id in ids.values { try drop(tier: tier, series: id, before: cut) }
      }
      try dropSeries()
    }
  }

  // MARK: - Reading

  /// The series of a metric, in the order of their labels. Throws `tooMany` when the answer would be too large.
  func answer(_ query: HistoryQuery) throws(HistoryFault) -> HistoryAnswer {
    let place = query.metric.labels.firstIndex(of: "provider")
    let wanted = ids.filter { series, _ in
      guard series.metric == query.metric.name, series.values.count == query.metric.labels.count else { return false }
      guard let provider = query.provider, let place else { return true }
      return series.values[place] == provider
    }.sorted { $0.key.values.lexicographicallyPrecedes($1.key.values) }
    let points = wanted.count * query.pointCount
    guard points <= Self.answerPointsLimit else {
      throw .tooMany(series: wanted.count, points: query.pointCount, limit: Self.answerPointsLimit)
    }
    guard let newest else { return HistoryAnswer(query: query, series: []) }
    let segments = plan.segments(
      from: query.from, to: query.to, step: query.step, rolled: rolled.map { $0 ?? .min }, newest: newest)
    var answer = HistoryAnswer(query: query, series: [])
    for (series, id) in wanted {
      let points = try Self.wrapped { () throws(DatabaseFault) in try self.points(id, query, segments) }
      guard points.contains(where: { $0 != nil }) else { continue }
      answer.series.append(.init(values: series.values, points: points))
    }
    return answer
  }

  private func points(_ id: Int64, _ query: HistoryQuery, _ segments: [HistoryTiers.Segment]) throws(DatabaseFault)
    -> [Double?]
  {
    var cells = [HistoryCell](repeating: HistoryCell(), count: query.pointCount)
    for segment in segments {
      let weight = Double(tiers[segment.tier].step)
      try statements.aggregate.rows([
        .integer(query.from), .integer(query.step), .integer(Int64(segment.tier)), .integer(id),
        .integer(segment.from), .integer(segment.to),
      ]) { row in
        let place = Int(row.integer(0))
        guard cells.indices.contains(place) else { return }
        cells[place].add(sum: row.real(1), count: Double(row.integer(2)), largest: row.real(3), weight: weight)
      }
    }
    return cells.map { $0.value(query.metric.combination) }
  }
}

/// What lies in one step of an answer; points of several tiers may, each with the time it stands for.
struct HistoryCell {
  private var sum = 0.0
  private var weight = 0.0
  private var largest = -Double.infinity

  mutating func add(sum: Double, count: Double, largest: Double, weight: Double) {
    self.sum += sum * weight
    self.weight += count * weight
    self.largest = max(self.largest, largest)
  }

  /// nil: nothing does.
  func value(_ combination: HistoryMetric.Combination) -> Double? {
    guard weight > 0 else { return nil }
    return combination == .mean ? sum / weight : largest
  }
}
