import SystemLibraries

/// A connection to one SQLite database. Thread: one at a time, with its statements.
///
/// It closes when it and the last of its statements are gone.
final class Database {
  let sqlite: SQLite
  fileprivate let handle: SQLite.Handle

  /// Opens the file, which is made when it is absent.
  ///
  /// - Parameter busyMilliseconds: how long a statement waits for another process that writes.
  init(_ path: String, with sqlite: SQLite, busyMilliseconds: Int32 = 2_000) throws(DatabaseFault) {
    self.sqlite = sqlite
    var opened: SQLite.Handle?
    let code = sqlite.open(path, &opened, SQLite.openReadWrite | SQLite.openCreate | SQLite.openNoMutex, nil)
    guard code == SQLite.ok, let opened else {
      let fault = Self.fault(code, opened, "open \(path)", sqlite)
      // Also a connection that could not be opened is to be closed.
      _ = sqlite.close(opened)
      throw fault
    }
    handle = opened
    _ = sqlite.busyTimeout(handle, busyMilliseconds)
  }

  deinit { _ = sqlite.close(handle) }

  /// Runs one statement to its end; what it answers is dropped.
  func run(_ text: String, _ values: Statement.Value..., doing: String) throws(DatabaseFault) {
    try Statement(text, of: self, doing: doing).run(values)
  }

  /// The first column of the first row; nil: there is no row.
  func number(_ text: String, _ values: Statement.Value..., doing: String) throws(DatabaseFault) -> Int64? {
    var number: Int64?
    try Statement(text, of: self, doing: doing).rows(values) { row in number = number ?? row.integer(0) }
    return number
  }

  /// The same as text.
  func text(_ text: String, _ values: Statement.Value..., doing: String) throws(DatabaseFault) -> String? {
    var found: String?
    try Statement(text, of: self, doing: doing).rows(values) { row in found = found ?? row.text(0) }
    return found
  }

  /// All that `body` writes, or nothing of it.
  func transaction<Result>(doing: String, _ body: () throws(DatabaseFault) -> Result) throws(DatabaseFault) -> Result {
    try run("BEGIN IMMEDIATE", doing: doing)
    do throws(DatabaseFault) {
      let result = try body()
      try run("COMMIT", doing: doing)
      return result
    } catch {
      // Some faults have rolled it back already.
      if sqlite.isAutocommit(handle) == 0 { try? run("ROLLBACK", doing: doing) }
      throw error
    }
  }

  fileprivate func fault(_ code: Int32, _ doing: String) -> DatabaseFault { Self.fault(code, handle, doing, sqlite) }

  private static func fault(_ code: Int32, _ handle: SQLite.Handle?, _ doing: String, _ sqlite: SQLite) -> DatabaseFault
  {
    let message = handle.flatMap(sqlite.errorMessage) ?? sqlite.errorText(code)
    let extended = handle.map(sqlite.errorCode) ?? code
    return DatabaseFault(
      code: extended & 0xFF == code & 0xFF ? extended : code,
      message: message.map { String(cString: $0) } ?? "no reason given", doing: doing)
  }
}

/// A statement of a database, prepared once and run as often as needed. Thread: its database's.
final class Statement {
  enum Value { case integer(Int64), real(Double), text(String) }

  private let database: Database
  private let handle: SQLite.Handle
  /// For its errors: "write a sample".
  private let doing: String

  init(_ text: String, of database: Database, doing: String) throws(DatabaseFault) {
    self.database = database
    self.doing = doing
    var prepared: SQLite.Handle?
    let code = database.sqlite.prepare(database.handle, text, -1, &prepared, nil)
    guard code == SQLite.ok, let prepared else { throw database.fault(code, doing) }
    handle = prepared
  }

  deinit { _ = database.sqlite.finalize(handle) }

  func run(_ values: Value...) throws(DatabaseFault) { try run(values) }

  func run(_ values: [Value]) throws(DatabaseFault) { try rows(values) { _ in } }

  /// Calls `body` for each row; what it reads of it is copied.
  func rows(_ values: [Value], _ body: (Statement) throws(DatabaseFault) -> Void) throws(DatabaseFault) {
    // A statement that is not reset holds its locks.
    defer { _ = database.sqlite.reset(handle) }
    for (index, value) in values.enumerated() { try bind(value, Int32(index + 1)) }
    while true {
      let code = database.sqlite.step(handle)
      switch code {
      case SQLite.row: try body(self)
      case SQLite.done: return
      default: throw database.fault(code, doing)
      }
    }
  }

  private func bind(_ value: Value, _ index: Int32) throws(DatabaseFault) {
    let code =
      switch value {
      case .integer(let number): database.sqlite.bindInteger(handle, index, number)
      case .real(let number): database.sqlite.bindReal(handle, index, number)
      case .text(let text): database.sqlite.bindText(handle, index, text, -1, SQLite.transient)
      }
    guard code == SQLite.ok else { throw database.fault(code, doing) }
  }

  // Columns of the present row, from 0; what SQLite has otherwise is converted as its manual says.
  func integer(_ column: Int32) -> Int64 { database.sqlite.columnInteger(handle, column) }
  func real(_ column: Int32) -> Double { database.sqlite.columnReal(handle, column) }
  func isNull(_ column: Int32) -> Bool { database.sqlite.columnType(handle, column) == SQLite.null }

  func text(_ column: Int32) -> String {
    guard let bytes = database.sqlite.columnText(handle, column) else { return "" }
    let count = Int(max(0, database.sqlite.columnBytes(handle, column)))
    return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }
}
