import Glibc
internal import Host
internal import Wire

/// Sends each message back as it came.
final class Echo: MessageHandler {
  private let link: WebSocketLink
  init(_ link: WebSocketLink) { self.link = link }

  func received(_ message: UnsafeRawBufferPointer) { link.send(.text, message) }
  func receivedBinary(_ message: UnsafeRawBufferPointer) { link.send(.binary, message) }
  func backlogCleared() {}
  func drain(isOver: Bool) {}
  func sweep() {}
  func linkClosed() {}
}

// websocket-echo [limit BYTES]: the host's own WebSocket with an echo behind it, for the conformance suites. Listens on a
// free port of 127.0.0.1, prints `listening PORT`, and ends with its standard input.
// websocket-echo decode: the decoder alone, line by line.
if CommandLine.arguments.dropFirst() == ["decode"] {
  try StreamReader.run()
  exit(0)
}

var configuration = Configuration()
configuration.limits.connections = 10_000
configuration.limits.connectionsPerAddress = 10_000
// Every message that is worth it, with contexts that are kept.
configuration.websocket.compression = true
configuration.websocket.compressionThresholdBytes = 0
configuration.websocket.takeoverConnections = 10_000
if CommandLine.arguments.count == 3, let bytes = Int(CommandLine.arguments[2]) {
  configuration.limits.frameBytes = bytes
}

// What the suites do wrong on purpose is no news.
let log = Log(level: .error)
let eventLoop = try EventLoop(index: 0)
let server = MessageServer(
  MessageService(takesBinary: true) { Echo($0) }, on: eventLoop, configuration: configuration, log: log)
let listener = try Listener(address: BindAddress(parsing: "127.0.0.1:0"), loop: eventLoop, log: log) {
  server.open($0)
}
eventLoop.start()
print("listening \(String(describing: listener.boundAddress).split(separator: ":").last!)")
fflush(nil)
var byte: UInt8 = 0
while read(0, &byte, 1) > 0 {}
exit(0)
