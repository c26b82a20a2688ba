// Stands in until the real one lands: whoever lands it deletes this file.
package final class CurlLibrary: Sendable {
  package let version = "none"
  package static func load() throws(HostError) -> CurlLibrary { throw HostError(description: "stand-in") }
}
final class CurlUpstreamClient: UpstreamClient {
  init(library: CurlLibrary, loop: EventLoop, log: Log) throws(HostError) {}
  func start(_ request: UpstreamRequest, delegate: any UpstreamExchangeDelegate) throws(ProviderFailure)
    -> UpstreamExchangeID
  { throw ProviderFailure(status: -1, message: "") }
  func cancel(_ exchange: UpstreamExchangeID) {}
  func pause(_ exchange: UpstreamExchangeID) {}
  func resume(_ exchange: UpstreamExchangeID) {}
}
