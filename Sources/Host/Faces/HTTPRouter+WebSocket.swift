import Wire

// From a good upgrade to a session of the native protocol.
extension HTTPRouter {
  func upgrade(_ head: HTTPRequestHead, accept: String) -> HTTPDecision {
    guard serves.contains(.websocket) else {
      return .reply(.error(426, "this listener serves no WebSocket; see listeners[].serves"))
    }
    guard head.path == "/" || head.path == "/ws" else {
      return .reply(.error(404, "there is no WebSocket at this path; use / or /ws"))
    }
    let compression = loop.compression
    switch compression?.answer(head.headers.all("sec-websocket-extensions")) {
    case .agreed(let terms, let header)?:
      return .upgrade { [self] connection in
        open(connection, accept: accept, extensions: header, deflate: compression?.deflate(terms))
      }
    case .declined?, nil: return .upgrade { [self] connection in open(connection, accept: accept) }
    case .malformed?: return .reply(.error(400, "Sec-WebSocket-Extensions is not a list of extensions"))
    }
  }

  private func open(
    _ connection: Connection, accept: String, extensions: String? = nil, deflate: MessageDeflate? = nil
  ) -> WebSocketLink {
    WebSocketHandshake.appendResponse(accept: accept, extensions: extensions, to: &connection.outbound)
    connection.outboundChanged()
    let service = loop.messageService
    let link = WebSocketLink(
      connection: connection, messageBytesLimit: loop.configuration.limits.frameBytes,
      takesBinary: service?.takesBinary ?? false, deflate: deflate)
    connection.hand(to: link)
    if let service {
      link.start(service.makeHandler(link))
      return link
    }
    let session = NativeSession(link: link)
    link.start(session)
    switch refusal {
    case nil: session.awaitHello()
    case .connections(let limit):
      link.close(code: 1008, reason: "limits.connections reached: \(limit)")
    case .connectionsPerAddress(let limit):
      link.close(code: 1008, reason: "limits.connections_per_address reached: \(limit)")
    }
    if loop.isDraining { link.close(code: 1012, reason: "the host is shutting down") }
    return link
  }
}
