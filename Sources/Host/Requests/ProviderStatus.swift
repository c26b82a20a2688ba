import CProviderABI

/// The status codes of provider_abi.h that the host decides by.
enum ProviderStatus {
  static let unsupported = Int32(PRV_E_UNSUPPORTED)
  static let auth = Int32(PRV_E_AUTH)
  static let permission = Int32(PRV_E_PERMISSION)
  static let rateLimited = Int32(PRV_E_RATE_LIMITED)
  static let quota = Int32(PRV_E_QUOTA)
  static let overloaded = Int32(PRV_E_OVERLOADED)
  static let timeout = Int32(PRV_E_TIMEOUT)
  static let network = Int32(PRV_E_NETWORK)
  static let badResponse = Int32(PRV_E_BAD_RESPONSE)
  static let concurrency = Int32(PRV_E_CONCURRENCY)
  static let upstream = Int32(PRV_E_UPSTREAM)
  static let limit = Int32(PRV_E_LIMIT)
  static let state = Int32(PRV_E_STATE)
  static let internalFault = Int32(PRV_E_INTERNAL)
}
