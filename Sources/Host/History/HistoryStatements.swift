/// What the history's file is asked over and over, prepared once. Thread: the file's.
struct HistoryStatements {
  var insertPoint: Statement
  var insertSeries: Statement
  /// Into the tier ?1, at multiples of ?2, from the tier ?3.
  var rollMean: Statement
  var rollLargest: Statement
  var setRolled: Statement
  var deleteBefore: Statement
  var hasPoints: Statement
  var oldest: Statement
  /// Of the samples.
  var newest: Statement
  /// By steps of ?2 from ?1 on.
  var aggregate: Statement

  init(_ database: Database) throws(DatabaseFault) {
    func statement(_ text: String, _ doing: String) throws(DatabaseFault) -> Statement {
      try Statement(text, of: database, doing: doing)
    }
    func roll(_ function: String) throws(DatabaseFault) -> Statement {
      try statement(
        "INSERT OR REPLACE INTO points (tier, series, at, value) SELECT ?1, series, at - at % ?2, \(function)(value)"
          + " FROM points WHERE tier = ?3 AND series = ?4 AND at >= ?5 AND at < ?6 GROUP BY at / ?2",
        "put samples together")
    }
    insertPoint = try statement(
      "INSERT OR REPLACE INTO points (tier, series, at, value) VALUES (0, ?, ?, ?)", "write a sample")
    insertSeries = try statement("INSERT INTO series (metric, labels) VALUES (?, ?)", "write a series")
    rollMean = try roll("avg")
    rollLargest = try roll("max")
    setRolled = try statement("INSERT OR REPLACE INTO rolled (tier, until) VALUES (?, ?)", "put samples together")
    deleteBefore = try statement("DELETE FROM points WHERE tier = ? AND series = ? AND at < ?", "drop what is old")
    hasPoints = try statement("SELECT 1 FROM points WHERE tier = ? AND series = ? LIMIT 1", "drop what is old")
    oldest = try statement("SELECT min(at) FROM points WHERE tier = ? AND series = ?", "keep to the size")
    newest = try statement("SELECT max(at) FROM points WHERE tier = 0 AND series = ?", "read history")
    aggregate = try statement(
      "SELECT (at - ?1) / ?2, sum(value), count(*), max(value) FROM points"
        + " WHERE tier = ?3 AND series = ?4 AND at >= ?5 AND at < ?6 GROUP BY 1", "read history")
  }
}
