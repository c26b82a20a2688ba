/// The bounds of one connection that are not settings.
enum ConnectionLimits {
  /// Bytes queued for a client above which what feeds it pauses and nothing more is read from it.
  static let pauseBytes = 256 << 10
  /// Bytes queued below which all goes on.
  static let resumeBytes = 64 << 10
  /// The same two for a connection of the low priority.
  static let lowPauseBytes = 32 << 10
  static let lowResumeBytes = 8 << 10
  /// The first block of memory for bytes that wait to be sent.
  static let firstBlockBytes = 4 << 10
  /// The largest block that a loop keeps for the next connection that has something to say.
  static let spareBlockBytes = 64 << 10
  /// Bytes taken from the socket in one turn at most; then other connections have theirs.
  static let readBytes = 64 << 10
  /// Bytes taken in one turn of all connections together, as far as that leaves each `smallestReadBytes`.
  static let turnReadBytes = 512 << 10
  /// Bytes taken in one turn of a connection of the low priority: what that costs is what all others may have to wait.
  static let lowReadBytes = 4 << 10
  /// Bytes given to the socket of a connection of the low priority in one turn; a TLS record fits (RFC 8446 §5.1).
  static let lowWriteBytes = 16 << 10
  /// Of an unfinished message, kept in a block of its own size.
  static let smallRestBytes = 4 << 10
  /// Taken at once among however many, and of a message of which more than that has come; a TLS record fits
  /// (RFC 8446 §5.1).
  static let smallestReadBytes = 16 << 10
  /// Messages of one connection in one turn; then other connections have theirs.
  static let messagesPerTurn = 32
  /// The same for a connection of the low priority.
  static let lowMessagesPerTurn = 8
  /// How long a peer may take to close after our last byte.
  static let lingerMilliseconds: UInt64 = 2_000
  /// How long a peer may take to answer a close frame (RFC 6455 §7.1.1).
  static let closeHandshakeMilliseconds: UInt64 = 5_000
  /// A connection from which nothing came for this long is asked with a ping.
  static let pingMilliseconds: UInt64 = 30_000
  /// How long it may take to show any sign of life then.
  static let pongMilliseconds: UInt64 = 20_000

  /// Bytes taken in one turn of each of so many connections of a loop.
  static func readBytes(connections: Int) -> Int {
    max(smallestReadBytes, min(readBytes, turnReadBytes / max(1, connections)))
  }
}
