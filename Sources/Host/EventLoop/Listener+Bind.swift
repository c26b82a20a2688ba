import CLinux
import Glibc

extension Listener {
  /// What listens: its descriptor, where it really does, and its file if it is a unix socket.
  struct Socket {
    var descriptor: Int32
    var bound: BindAddress
    var file: UnixSocketFile?
  }

  /// Makes a socket that listens on `address`.
  ///
  /// - Parameter mode: of a unix socket's file.
  static func listen(_ address: BindAddress, mode: UInt32 = 0o600) throws(ListenerError) -> Socket {
    let family =
      switch address.place {
      case .network(let network): network.family == .ipv4 ? AF_INET : AF_INET6
      case .unix: AF_UNIX
      }
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw ListenerError(address: address, call: "socket", code: errno) }
    do throws(ListenerError) {
      var made = Socket(descriptor: descriptor, bound: address)
      switch address.place {
      case .network(let network): made.bound = try bind(descriptor, network, address)
      case .unix(let path): made.file = try bind(descriptor, path: path, mode, address)
      }
      guard Glibc.listen(descriptor, backlog) == 0 else {
        let code = errno
        made.file?.remove()
        throw ListenerError(address: address, call: "listen", code: code)
      }
      return made
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

  private static func bind(_ descriptor: Int32, path: String, _ mode: UInt32, _ address: BindAddress)
    throws(ListenerError) -> UnixSocketFile
  {
    do throws(UnixSocketFile.Fault) {
      return try UnixSocketFile(descriptor, path: path, mode: mode)
    } catch {
      switch error {
      case .failed(let call, let code): throw ListenerError(address: address, call: call, code: code)
      case .taken(let reason):
        throw ListenerError(address: address, call: "bind", code: EADDRINUSE, reason: reason)
      }
    }
  }
}
