import CLinux
import Glibc

/// `ws://host:port/path` or `wss://`, taken apart.
struct WebSocketAddress: Equatable {
  var host: String
  var port: String
  var path: String
  /// Whether it is spoken to in TLS.
  var isSecure: Bool

  var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  init(_ url: String) throws {
    isSecure = url.hasPrefix("wss://")
    guard isSecure || url.hasPrefix("ws://") else {
      throw UsageError(message: "--url must begin with ws:// or wss://, got '\(url)'")
    }
    let rest = url.dropFirst(isSecure ? 6 : 5)
    let standardPort = isSecure ? "443" : "80"
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    path = slash == rest.endIndex ? "/" : String(rest[slash...])
    let authority = rest[..<slash]
    if authority.hasPrefix("["), let bracket = authority.firstIndex(of: "]") {
      host = String(authority[authority.index(after: authority.startIndex)..<bracket])
      let after = authority[authority.index(after: bracket)...]
      port = after.hasPrefix(":") ? String(after.dropFirst()) : standardPort
    } else {
      let colon = authority.lastIndex(of: ":") ?? authority.endIndex
      host = String(authority[..<colon])
      port = colon == authority.endIndex ? standardPort : String(authority[authority.index(after: colon)...])
    }
    guard !host.isEmpty, UInt16(port) != nil else {
      throw UsageError(message: "--url needs a host and a port from 0 to 65535, got '\(url)'")
    }
  }

  /// A connected, blocking socket.
  ///
  /// - Parameter silenceSeconds: after which reading fails with EAGAIN.
  func connect(silenceSeconds: Int) throws -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, port, &hints, &list)
    guard status == 0 else {
      throw ClientError(
        description: "cannot resolve \(host): \(String(cString: gai_strerror(status)))", isUnreachable: true)
    }
    defer { freeaddrinfo(list) }
    var failure: Int32 = 0
    var next = list
    while let entry = next {
      let descriptor = socket(entry.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
      if descriptor >= 0 {
        if Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 {
          var patience = timeval(tv_sec: silenceSeconds, tv_usec: 0)
          setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
          return descriptor
        }
        failure = errno
        close(descriptor)
      }
      next = entry.pointee.ai_next
    }
    throw ClientError(
      description: "no host at \(authority): \(String(cString: strerror(failure))); is 'patchbay serve' running there?",
      isUnreachable: true)
  }

  /// The socket address that a connected socket leads to, as the kernel has it.
  static func peer(of descriptor: Int32) -> [UInt8] {
    var storage = [UInt8](repeating: 0, count: MemoryLayout<sockaddr_storage>.size)
    var size = socklen_t(storage.count)
    let status = storage.withUnsafeMutableBytes { bytes in
      getpeername(descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, &size)
    }
    // A socket that the other side has closed already has none: connecting to this fails, and says so.
    return status == 0 ? Array(storage[..<Int(size)]) : storage
  }
}
