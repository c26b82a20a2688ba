/// Why a call, or the opening of one, failed. `status` is a `PRV_E_*` code of provider_abi.h.
package struct ProviderFailure: Error, Sendable, Equatable {
  /// Which upstream clock ran out, when status is PRV_E_TIMEOUT.
  package enum Clock: UInt32, Sendable { case none = 0, connect = 1, firstByte = 2, idle = 3, total = 4 }

  package var status: Int32
  package var message: String
  package var httpStatus: UInt32 = 0
  package var isRetryable: Bool?
  package var retryAfterNanoseconds: UInt64 = 0
  package var providerCode: String = ""
  package var upstreamRequestID: String = ""
  package var clock: Clock = .none
  /// The process that the plugin runs in ended before the call did, or never came up.
  package var isCrash = false

  package init(status: Int32, message: String) {
    self.status = status
    self.message = message
  }
}

/// How a call ended, as the plugin says it.
package enum ProviderEnd: Sendable {
  case succeeded
  case cancelled
  case failed(ProviderFailure)
}
