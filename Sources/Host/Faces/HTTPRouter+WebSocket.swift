import Wire

// From a good upgrade to a session of the native protocol.
extension HTTPRouter {
  /// What was agreed on with a client before its WebSocket is open.
  private struct Opening {
    var accept: String
    /// nil: the client offered none that is spoken here.
    var subprotocol: String?
    var extensions: String?
    var deflate: MessageDeflate?
    /// Whose token came with the request; nil: none did.
    var known: Principals.Principal?
    /// The trace that the client is in; nil: in none.
    var trace: TraceContext?
  }

  func upgrade(_ head: HTTPRequestHead, accept: String) -> HTTPDecision {
    guard serves.contains(.websocket) else {
      return .reply(.error(426, "this listener serves no WebSocket; see listeners[].serves"))
    }
    guard head.path == "/" || head.path == "/ws" else {
      return .reply(.error(404, "there is no WebSocket at this path; use / or /ws"))
    }
    var opening = Opening(accept: accept)
    opening.trace = TraceContext(head.headers, random: loop.nextRandom)
    do throws(PresentedTokens.Malformed) {
      let tokens = try PresentedTokens(head)
      opening.known = try tokens.principal(of: loop.services.principals)
      if opening.known?.role == .viewer { throw PresentedTokens.Malformed(reason: "a viewer makes no calls") }
      if tokens.offersSubprotocol { opening.subprotocol = PresentedTokens.subprotocol }
    } catch {
      return .reply(
        .refused(error.status, error.reason, headers: error.status == 401 ? [("WWW-Authenticate", "Bearer")] : []))
    }
    let compression = loop.compression
    switch compression?.answer(head.headers.all("sec-websocket-extensions")) {
    case .agreed(let terms, let header)?:
      opening.extensions = header
      opening.deflate = compression?.deflate(terms)
    case .declined?, nil: break
    case .malformed?: return .reply(.refused(400, "Sec-WebSocket-Extensions is not a list of extensions"))
    }
    let agreed = opening
    return .upgrade { [self] connection in open(connection, agreed) }
  }

  private func open(_ connection: Connection, _ opening: Opening) -> WebSocketLink {
    WebSocketHandshake.appendResponse(
      accept: opening.accept, subprotocol: opening.subprotocol, extensions: opening.extensions,
      to: &connection.outbound)
    connection.outboundChanged()
    let service = loop.messageService
    let link = WebSocketLink(
      connection: connection, messageBytesLimit: loop.configuration.limits.frameBytes,
      takesBinary: service?.takesBinary ?? false, deflate: opening.deflate)
    connection.hand(to: link)
    if let service {
      link.start(service.makeHandler(link))
      connection.becameKnown()
      return link
    }
    let session = NativeSession(link: link, known: opening.known, trace: opening.trace)
    link.start(session)
    switch refusal {
    case nil: session.awaitHello()
    case .connections(let limit): refuse(link, "limits.connections reached: \(limit)")
    case .connectionsPerAddress(let limit): refuse(link, "limits.connections_per_address reached: \(limit)")
    }
    if loop.isDraining { link.close(code: 1012, reason: "the host is shutting down") }
    return link
  }

  private func refuse(_ link: WebSocketLink, _ reason: String) {
    loop.warn(
      "Refused a connection", [("code", "1008"), ("reason", reason), ("peer", "\(link.connection.peer)")])
    link.close(code: 1008, reason: reason)
  }
}
