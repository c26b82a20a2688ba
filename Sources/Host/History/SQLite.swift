import SystemLibraries

/// SQLite, opened at run time and only where history is kept, with the functions that we use.
///
/// Thread: any; a connection and its statements as SQLite's manual says, one thread at a time.
final class SQLite: @unchecked Sendable {  // Immutable after `init`.
  /// The first whose write-ahead log and tables without row ids had no known fault. Debian 12 has 3.40.
  static let lowestVersion = "3.24.0"
  private static let lowestNumber: Int32 = 3_024_000

  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>

  let version: String
  let open: @convention(c) (Text, UnsafeMutablePointer<Handle?>, Int32, Text?) -> Int32
  let close: @convention(c) (Handle?) -> Int32
  let busyTimeout: @convention(c) (Handle, Int32) -> Int32
  let errorCode: @convention(c) (Handle) -> Int32
  let errorMessage: @convention(c) (Handle) -> Text?
  let errorText: @convention(c) (Int32) -> Text?
  let isAutocommit: @convention(c) (Handle) -> Int32
  let prepare:
    @convention(c) (Handle, Text, Int32, UnsafeMutablePointer<Handle?>, UnsafeMutablePointer<Text?>?) -> Int32
  let bindInteger: @convention(c) (Handle, Int32, Int64) -> Int32
  let bindReal: @convention(c) (Handle, Int32, Double) -> Int32
  let bindText: @convention(c) (Handle, Int32, Text, Int32, UnsafeMutableRawPointer?) -> Int32
  let step: @convention(c) (Handle) -> Int32
  let reset: @convention(c) (Handle) -> Int32
  let finalize: @convention(c) (Handle?) -> Int32
  let columnType: @convention(c) (Handle, Int32) -> Int32
  let columnInteger: @convention(c) (Handle, Int32) -> Int64
  let columnReal: @convention(c) (Handle, Int32) -> Double
  let columnText: @convention(c) (Handle, Int32) -> UnsafePointer<UInt8>?
  let columnBytes: @convention(c) (Handle, Int32) -> Int32

  private static let loaded = LoadedOnce<SQLite>()

  /// Opens SQLite; from the second time on returns the same.
  static func load() throws(SharedLibrary.LoadError) -> SQLite {
    try loaded.get { () throws(SharedLibrary.LoadError) in try SQLite("libsqlite3.so.0") }
  }

  init(_ name: String) throws(SharedLibrary.LoadError) {
    let library = try SharedLibrary(
      name, remedy: "install the Debian package libsqlite3-0, or set storage.kind to \"memory\"")
    let versionNumber: @convention(c) () -> Int32 = try library.function("sqlite3_libversion_number")
    let versionText: @convention(c) () -> Text? = try library.function("sqlite3_libversion")
    let isThreadSafe: @convention(c) () -> Int32 = try library.function("sqlite3_threadsafe")
    version = versionText().map { String(cString: $0) } ?? "unknown"
    guard versionNumber() >= Self.lowestNumber else {
      throw library.unfit("is \(version), the host needs \(Self.lowestVersion) or later")
    }
    guard isThreadSafe() != 0 else { throw library.unfit("was built for programs of one thread") }
    open = try library.function("sqlite3_open_v2")
    close = try library.function("sqlite3_close_v2")
    busyTimeout = try library.function("sqlite3_busy_timeout")
    errorCode = try library.function("sqlite3_extended_errcode")
    errorMessage = try library.function("sqlite3_errmsg")
    errorText = try library.function("sqlite3_errstr")
    isAutocommit = try library.function("sqlite3_get_autocommit")
    prepare = try library.function("sqlite3_prepare_v2")
    bindInteger = try library.function("sqlite3_bind_int64")
    bindReal = try library.function("sqlite3_bind_double")
    bindText = try library.function("sqlite3_bind_text")
    step = try library.function("sqlite3_step")
    reset = try library.function("sqlite3_reset")
    finalize = try library.function("sqlite3_finalize")
    columnType = try library.function("sqlite3_column_type")
    columnInteger = try library.function("sqlite3_column_int64")
    columnReal = try library.function("sqlite3_column_double")
    columnText = try library.function("sqlite3_column_text")
    columnBytes = try library.function("sqlite3_column_bytes")
  }

  // Numbers of sqlite3.h.
  static let ok: Int32 = 0
  static let row: Int32 = 100
  static let done: Int32 = 101
  /// The type of a column without a value.
  static let null: Int32 = 5
  static let openReadWrite: Int32 = 0x2
  static let openCreate: Int32 = 0x4
  /// A connection and its statements are used by one thread at a time, so it needs no lock of its own.
  static let openNoMutex: Int32 = 0x8000
  /// SQLite copies the text at once.
  static var transient: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: -1) }
}
