import CLinux
import Glibc

/// The address of one end of a socket.
///
/// Plain bits, so that counting connections per address costs no allocation.
package struct SocketAddress: Hashable, Sendable {
  package enum Family: UInt8, Sendable { case ipv4, ipv6, unix }

  package let family: Family
  /// 0 for a unix socket.
  package let port: UInt16
  /// The address in network order, the first byte highest; an IPv4 address stands in the low 32 bits of `low`.
  package let high: UInt64
  package let low: UInt64
  /// Which link an `fe80::` address belongs to (RFC 4007 §6). Of a unix peer 1 if `low` is its user and `high` its
  /// process.
  package let scope: UInt32

  /// A peer that is on this machine and has no number.
  package static let unix = SocketAddress(family: .unix, port: 0, high: 0, low: 0)

  /// Who connected to a unix socket: user and process, as the kernel saw them then (unix(7), SO_PEERCRED). nil: it does
  /// not say.
  init?(credentialsOf descriptor: Int32) {
    var who = (pid: pid_t(0), uid: uid_t(0), gid: gid_t(0))
    var length = socklen_t(MemoryLayout.size(ofValue: who))
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 else { return nil }
    self.init(family: .unix, port: 0, high: UInt64(UInt32(bitPattern: who.pid)), low: UInt64(who.uid), scope: 1)
  }

  /// The user of a unix peer; nil: unknown, or no unix peer.
  var user: uid_t? { family == .unix && scope == 1 ? uid_t(truncatingIfNeeded: low) : nil }

  package init(family: Family, port: UInt16, high: UInt64, low: UInt64, scope: UInt32 = 0) {
    self.family = family
    self.port = port
    self.high = high
    self.low = low
    self.scope = scope
  }

  /// Reads a literal such as `127.0.0.1` or `::1`. nil: it is none.
  package init?(literal: String, port: UInt16) {
    var four = in_addr()
    if inet_pton(AF_INET, literal, &four) == 1 {
      self.init(family: .ipv4, port: port, high: 0, low: UInt64(UInt32(bigEndian: four.s_addr)))
      return
    }
    var six = in6_addr()
    guard inet_pton(AF_INET6, literal, &six) == 1 else { return nil }
    self.init(six: six, port: port, scope: 0)
  }

  /// What the kernel wrote.
  init(_ storage: sockaddr_storage) {
    switch Int32(storage.ss_family) {
    case AF_INET:
      let four = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in.self) }
      self.init(
        family: .ipv4, port: UInt16(bigEndian: four.sin_port), high: 0,
        low: UInt64(UInt32(bigEndian: four.sin_addr.s_addr)))
    case AF_INET6:
      let six = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in6.self) }
      self.init(six: six.sin6_addr, port: UInt16(bigEndian: six.sin6_port), scope: six.sin6_scope_id)
    default:
      self = .unix
    }
  }

  private init(six: in6_addr, port: UInt16, scope: UInt32) {
    let words = withUnsafeBytes(of: six) { $0.loadUnaligned(as: (UInt64, UInt64).self) }
    self.init(
      family: .ipv6, port: port, high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1), scope: scope)
  }

  /// Whether only this machine can be at the other end.
  package var isLoopback: Bool {
    switch family {
    case .unix: true
    case .ipv4: low >> 24 == 127
    case .ipv6: high == 0 && (low == 1 || (low >> 32 == 0xFFFF && low >> 24 & 0xFF == 127))
    }
  }

  /// The address without its port: `127.0.0.1`, `::1`, `unix`.
  package var host: String {
    switch family {
    case .unix:
      return "unix"
    case .ipv4:
      return "\(low >> 24 & 0xFF).\(low >> 16 & 0xFF).\(low >> 8 & 0xFF).\(low & 0xFF)"
    case .ipv6:
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      var six = self.six
      guard inet_ntop(AF_INET6, &six, &text, socklen_t(text.count)) != nil else { return "::" }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  private var six: in6_addr {
    var six = in6_addr()
    let words = (high.bigEndian, low.bigEndian)
    withUnsafeMutableBytes(of: &six) { $0.storeBytes(of: words, as: (UInt64, UInt64).self) }
    return six
  }

  /// The address as `bind` and `connect` take it; not for unix sockets, whose path is not here.
  func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    if family == .ipv4 {
      var four = sockaddr_in()
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = port.bigEndian
      four.sin_addr.s_addr = UInt32(truncatingIfNeeded: low).bigEndian
      return withUnsafePointer(to: &four) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    var six = sockaddr_in6()
    six.sin6_family = sa_family_t(AF_INET6)
    six.sin6_port = port.bigEndian
    six.sin6_addr = self.six
    six.sin6_scope_id = scope
    return withUnsafePointer(to: &six) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
    }
  }
}

extension SocketAddress: CustomStringConvertible {
  package var description: String {
    switch family {
    case .unix: user.map { "unix, user \($0), process \(high)" } ?? "unix"
    case .ipv4: "\(host):\(port)"
    case .ipv6: "[\(host)]:\(port)"
    }
  }
}
