import Glibc

/// Where a listener listens: `127.0.0.1:8079`, `[::1]:80` or `unix:/run/patchbay.sock`.
package struct BindAddress: Hashable, Sendable {
  package enum Place: Hashable, Sendable {
    case network(SocketAddress)
    case unix(path: String)
  }

  /// The text is no address that can be listened on.
  package struct Malformed: Error, Equatable, CustomStringConvertible {
    package var text: String
    package var reason: String
    package var description: String {
      "\"\(text)\" is no address to listen on: \(reason); write \"127.0.0.1:8079\", \"[::1]:8079\" or \"unix:/path\""
    }
  }

  /// What `sun_path` holds beside its closing zero (unix(7)).
  package static let unixPathBytes = 107

  package let place: Place

  package init(_ place: Place) { self.place = place }

  package init(parsing text: String) throws(Malformed) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard path.hasPrefix("/") else { throw Malformed(text: text, reason: "the path must be absolute") }
      guard path.utf8.count <= Self.unixPathBytes else {
        throw Malformed(
          text: text, reason: "the path has \(path.utf8.count) bytes, at most \(Self.unixPathBytes) are possible")
      }
      guard !path.utf8.contains(0) else { throw Malformed(text: text, reason: "the path contains a zero byte") }
      place = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { throw Malformed(text: text, reason: "the port is missing") }
    let digits = text[text.index(after: colon)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else {
      throw Malformed(text: text, reason: "the port is no number from 0 to 65535")
    }
    var host = text[..<colon]
    let isBracketed = host.first == "[" && host.last == "]"
    if isBracketed { host = host.dropFirst().dropLast() }
    guard let address = SocketAddress(literal: String(host), port: port) else {
      throw Malformed(text: text, reason: "the host is no IP address")
    }
    guard isBracketed == (address.family == .ipv6) else {
      throw Malformed(text: text, reason: "an IPv6 address, and only that, stands in brackets")
    }
    place = .network(address)
  }

  /// Whether only this machine can reach it.
  package var isLoopback: Bool {
    switch place {
    case .network(let address): address.isLoopback
    case .unix: true
    }
  }
}

extension BindAddress: CustomStringConvertible {
  package var description: String {
    switch place {
    case .network(let address): address.description
    case .unix(let path): "unix:\(path)"
    }
  }
}
