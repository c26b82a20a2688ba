import Decisions

/// Who makes sense of a link's messages. Thread: the loop's.
package protocol MessageHandler: AnyObject {
  /// One whole text message; borrowed.
  func received(_ message: UnsafeRawBufferPointer)
  /// One whole binary message; borrowed. Only a link that takes binary has any.
  func receivedBinary(_ message: UnsafeRawBufferPointer)
  func backlogCleared()
  func drain(isOver: Bool)
  /// A look for what has been idle for too long.
  func sweep()
  /// The last function for this link.
  func linkClosed()
}

extension MessageHandler {
  package func receivedBinary(_ message: UnsafeRawBufferPointer) {}
}

/// Who stands behind the WebSocket links of a loop instead of the native protocol.
package struct MessageService {
  package var takesBinary: Bool
  package var makeHandler: (WebSocketLink) -> any MessageHandler

  package init(takesBinary: Bool, makeHandler: @escaping (WebSocketLink) -> any MessageHandler) {
    self.takesBinary = takesBinary
    self.makeHandler = makeHandler
  }
}

/// The host's connections on one loop with another service behind them, and neither providers nor sessions: what the
/// conformance suites talk to. Thread: the loop's.
package final class MessageServer {
  private let loop: HostLoop

  package init(_ service: MessageService, on eventLoop: EventLoop, configuration: Configuration, log: Log) {
    let services = HostServices(
      configuration: configuration, log: log, core: Core(configuration.coreSettings), principals: Principals([]),
      version: Version.current)
    loop = HostLoop(eventLoop: eventLoop, services: services, peers: LoopDirectory())
    loop.messageService = service
  }

  package func open(_ socket: consuming AcceptedSocket) { loop.open(socket, serves: .websocket) }
}
