import CLinux
import Glibc

extension Listener {
  /// Makes a socket that listens on `address`, and says where it really does.
  static func listen(_ address: BindAddress) throws(ListenerError) -> (descriptor: Int32, bound: BindAddress) {
    let family =
      switch address.place {
      case .network(let network): network.family == .ipv4 ? AF_INET : AF_INET6
      case .unix: AF_UNIX
      }
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw ListenerError(address: address, call: "socket", code: errno) }
    do throws(ListenerError) {
      let bound: BindAddress
      switch address.place {
      case .network(let network):
        bound = try bind(descriptor, network, address)
      case .unix(let path):
        try bind(descriptor, path: path, address)
        bound = address
      }
      guard Glibc.listen(descriptor, backlog) == 0 else {
        throw ListenerError(address: address, call: "listen", code: errno)
      }
      return (descriptor, bound)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  private static func bind(_ descriptor: Int32, _ network: SocketAddress, _ address: BindAddress)
    throws(ListenerError) -> BindAddress
  {
    // Connections of the process before us, still in TIME_WAIT, do not keep us from the port; a listener does.
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    if network.family == .ipv6 {
      // `[::]` is IPv6 alone, whatever the machine's default: who wants both writes both.
      setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, socklen_t(MemoryLayout<Int32>.size))
    }
    guard network.withSocketAddress({ Glibc.bind(descriptor, $0, $1) }) == 0 else {
      throw ListenerError(address: address, call: "bind", code: errno)
    }
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let status = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard status == 0 else { throw ListenerError(address: address, call: "getsockname", code: errno) }
    return BindAddress(.network(SocketAddress(storage)))
  }

  /// A socket file that nobody listens on is left over from a process that died: it is replaced.
  private static func bind(_ descriptor: Int32, path: String, _ address: BindAddress) throws(ListenerError) {
    if withUnixAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0 { return }
    let code = errno
    guard code == EADDRINUSE, isLeftOver(path) else {
      throw ListenerError(address: address, call: "bind", code: code)
    }
    unlink(path)
    guard withUnixAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0 else {
      throw ListenerError(address: address, call: "bind", code: errno)
    }
  }

  private static func isLeftOver(_ path: String) -> Bool {
    var information = stat()
    guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFSOCK else { return false }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return false }
    defer { Glibc.close(probe) }
    return withUnixAddress(path, { connect(probe, $0, $1) }) != 0 && errno == ECONNREFUSED
  }

  private static func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { field in
      for (index, byte) in path.utf8.prefix(BindAddress.unixPathBytes).enumerated() { field[index] = byte }
    }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}
