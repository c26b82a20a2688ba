/// What SQLite refused to do, in its own words.
struct DatabaseFault: Error, Equatable, CustomStringConvertible {
  /// What can be done about it depends on the kind alone.
  enum Kind: Equatable {
    /// The file is no database, or a damaged one.
    case corrupt
    /// No room: on the disk, or under the bound that was set.
    case full
    /// Somebody else writes to it.
    case busy
    case readOnly
    case cannotOpen
    case inputOutput
    case other
  }

  /// The extended result code (sqlite3.h).
  var code: Int32
  var message: String
  /// "write a sample".
  var doing: String

  var kind: Kind {
    switch code & 0xFF {
    case 11, 26: .corrupt
    case 13: .full
    // LOCKED too: another connection has the table.
    case 5, 6: .busy
    case 3, 8, 23: .readOnly
    case 14: .cannotOpen
    // No room for the shared memory beside the file is a full disk as well.
    case 10: code == Self.noRoomForMemory ? .full : .inputOutput
    default: .other
    }
  }

  /// SQLITE_IOERR_SHMSIZE.
  private static let noRoomForMemory: Int32 = 10 | 19 << 8

  var description: String { "cannot \(doing): \(message) (SQLite code \(code))" }
}
