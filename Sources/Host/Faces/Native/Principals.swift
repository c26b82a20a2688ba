import Bytes
import Synchronization

/// Who may connect, by token. Tokens are kept as SHA-256 digests, compared in constant time.
///
/// Thread: any. The mutex guards the digests; nothing is called while it is held.
final class Principals: Sendable {
  enum Role: Sendable { case client, viewer, admin }

  struct Principal: Sendable, Equatable {
    var index: Int
    var name: String
    var role: Role
  }

  private struct Entry {
    var name: String
    var role: Role
    var digest: [UInt8]
    /// Of the token that was configured; `digest` is another after a rotation.
    var configured: [UInt8]
    /// Its number stays its own, since sessions and rates go by it.
    var isRemoved = false
  }

  enum Rotation: Equatable { case rotated, unauthorized, weak }

  static let tokenCharactersMinimum = 16

  private let entries: Mutex<[Entry]>

  /// - Parameter principals: empty: everyone may connect (loopback only, the configuration checks).
  init(_ principals: [(name: String, role: Role, token: String)]) {
    entries = Mutex(
      principals.map { Self.entry($0.name, $0.role, $0.token) })
  }

  private static func entry(_ name: String, _ role: Role, _ token: String) -> Entry {
    let digest = Self.digest(of: token)
    return Entry(name: name, role: role, digest: digest, configured: digest)
  }

  /// Whether nobody needs a token.
  var isOpen: Bool { entries.withLock { $0.allSatisfy(\.isRemoved) } }

  /// By number; those that are gone keep theirs.
  var names: [String] { entries.withLock { $0.map(\.name) } }

  /// Takes another list in force. A token that was rotated stays as long as the configured one is the same.
  func replace(_ principals: [(name: String, role: Role, token: String)]) {
    let wanted = principals.map { Self.entry($0.name, $0.role, $0.token) }
    entries.withLock { entries in
      for index in entries.indices { entries[index].isRemoved = true }
      for var entry in wanted {
        guard let index = entries.firstIndex(where: { $0.name == entry.name }) else {
          entries.append(entry)
          continue
        }
        if entries[index].configured == entry.configured { entry.digest = entries[index].digest }
        entries[index] = entry
      }
    }
  }

  /// The principal with this token; nil when there is none. All are compared, so that time tells nothing.
  func principal(withToken token: String) -> Principal? {
    principal(withToken: token, equal: Self.equal)
  }

  /// - Parameter equal: takes as long whatever it finds.
  func principal(withToken token: String, equal: ([UInt8], [UInt8]) -> Bool) -> Principal? {
    let digest = Self.digest(of: token)
    return entries.withLock { entries in
      var found: Principal?
      for (index, entry) in entries.enumerated() where equal(entry.digest, digest) && !entry.isRemoved {
        found = Principal(index: index, name: entry.name, role: entry.role)
      }
      return found
    }
  }

  /// Whether the principal is still configured.
  func knows(_ principal: Principal) -> Bool {
    entries.withLock { !$0[principal.index].isRemoved && $0[principal.index].role == principal.role }
  }

  /// Whether a login's principal is still configured, with the token that it was got with.
  func accepts(_ login: Logins.Login) -> Bool {
    guard knows(login.principal) else { return false }
    return entries.withLock { Self.equal($0[login.principal.index].digest, login.tokenDigest) }
  }

  /// Changes the token of `principal` from `old` to `new`.
  func rotate(_ principal: Principal, from old: String, to new: String) -> Rotation {
    let oldDigest = Self.digest(of: old)
    let newDigest = Self.digest(of: new)
    return entries.withLock { entries in
      guard !entries[principal.index].isRemoved, Self.equal(entries[principal.index].digest, oldDigest) else {
        return .unauthorized
      }
      guard new.unicodeScalars.count >= Self.tokenCharactersMinimum else { return .weak }
      entries[principal.index].digest = newDigest
      return .rotated
    }
  }

  private static func digest(of token: String) -> [UInt8] {
    var token = token
    return token.withUTF8 { SHA256.hash(UnsafeRawBufferPointer($0)) }
  }

  private static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBytes { left in right.withUnsafeBytes { constantTimeEquals(left, $0) } }
  }
}
