package import CProviderABI

/// Reads a prv_done.
package enum EndReader {
  private static let needed = UInt32(MemoryLayout<prv_done>.offset(of: \.http_status)!)

  /// nil when `size` does not even cover the status.
  ///
  /// - Parameter redact: takes secrets out: an upstream may repeat the key that it refuses, which the plugin does not
  ///   know.
  package static func read(_ source: UnsafePointer<prv_done>, redact: (String) -> String) -> ProviderEnd? {
    guard source.pointee.size >= needed else { return nil }
    let done = copyHead(source, size: source.pointee.size, over: prv_done())
    switch done.status {
    case PRV_OK: return .succeeded
    case PRV_CANCELLED: return .cancelled
    default: return .failed(failure(done, redact))
    }
  }

  private static func failure(_ done: prv_done, _ redact: (String) -> String) -> ProviderFailure {
    var failure = ProviderFailure(status: known(done.status), message: redact(done.message.excerpt))
    failure.httpStatus = done.http_status
    failure.isRetryable =
      switch done.retryable {
      case PRV_RETRY_NO: false
      case PRV_RETRY_YES: true
      default: nil
      }
    failure.retryAfterNanoseconds = done.retry_after_ns
    failure.providerCode = redact(done.provider_code.excerpt)
    failure.upstreamRequestID = done.upstream_request_id.excerpt
    return failure
  }

  /// `status` when it is an error that this host knows, otherwise PRV_E_INTERNAL.
  package static func known(_ status: Int32) -> Int32 {
    switch status {
    case PRV_E_LIMIT...PRV_E_INVALID_ARGUMENT, PRV_E_CONCURRENCY...PRV_E_AUTH: status
    default: PRV_E_INTERNAL
    }
  }
}
