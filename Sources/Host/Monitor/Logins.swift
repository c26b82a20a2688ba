import Bytes
import Decisions
import Synchronization

/// Browsers that have logged in with a token, by their cookie. Only digests of cookies are kept, compared in constant
/// time; a restart of the host ends every login.
///
/// Thread: any. The mutex guards the list; nothing is called while it is held.
final class Logins: Sendable {
  static let lifeMilliseconds: UInt64 = 12 * 3_600_000
  /// In all; then the oldest goes.
  static let limit = 256
  /// Of one principal, so that nobody drives the others out.
  static let limitEach = 16

  /// What a cookie stands for.
  struct Login: Sendable, Equatable {
    /// Of the cookie.
    var digest: [UInt8]
    var principal: Principals.Principal
    /// Of the token it was got with: a rotated token's logins end.
    var tokenDigest: [UInt8]
    var until: Instant
  }

  /// Failures of one address in a minute.
  static let failuresLimit = 5

  private let attempts = Mutex(AttemptGuard(limit: failuresLimit, windowNanoseconds: 60_000_000_000))
  /// Oldest first.
  private let logins = Mutex<[Login]>([])
  /// Proof that a request was made by a page of ours is derived from it (`formToken`).
  private let secret = SessionID.make()

  /// nil: a token may be tried; else the nanoseconds until one may.
  func mayTry(_ address: Census.Address?, now: Instant) -> UInt64? {
    attempts.withLock { $0.take(address, now: now) }
  }

  /// Lets a browser in; answers its cookie.
  func begin(_ principal: Principals.Principal, token: String, from address: Census.Address?, now: Instant) -> String {
    attempts.withLock { $0.succeeded(address) }
    let cookie = String(decoding: SessionID.make(), as: UTF8.self)
    let login = Login(
      digest: Self.digest(of: cookie), principal: principal, tokenDigest: Self.digest(of: token),
      until: now.advanced(milliseconds: Self.lifeMilliseconds))
    logins.withLock { logins in
      logins.removeAll { $0.until <= now }
      let own = logins.indices.filter { logins[$0].principal.name == principal.name }
      if own.count >= Self.limitEach {
        logins.remove(at: own[0])
      } else if logins.count >= Self.limit {
        logins.removeFirst()
      }
      logins.append(login)
    }
    return cookie
  }

  /// nil: nobody has this cookie, or no longer.
  func find(_ cookie: String, now: Instant) -> Login? {
    let digest = Self.digest(of: cookie)
    return logins.withLock { logins in
      var found: Login?
      for login in logins where Self.equal(login.digest, digest) && login.until > now { found = login }
      return found
    }
  }

  func end(_ cookie: String) {
    let digest = Self.digest(of: cookie)
    logins.withLock { $0.removeAll { Self.equal($0.digest, digest) } }
  }

  func holds(_ login: Login, now: Instant) -> Bool {
    logins.withLock { logins in logins.contains { $0 == login && $0.until > now } }
  }

  /// What a request that changes something has to bring along, so that no foreign page can make a browser send it: only
  /// who may read the feed knows it.
  func formToken(of identity: String) -> String {
    var bytes = ByteBuffer()
    bytes.append(secret)
    bytes.append(Self.digest(of: identity))
    return SHA256.hash(bytes.readable).withUnsafeBytes { Base64.encodeURLSafe($0) }
  }

  static func digest(of text: String) -> [UInt8] {
    var text = text
    return text.withUTF8 { SHA256.hash(UnsafeRawBufferPointer($0)) }
  }

  static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBytes { left in right.withUnsafeBytes { constantTimeEquals(left, $0) } }
  }
}
