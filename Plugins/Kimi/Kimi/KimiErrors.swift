import OpenAIWire

/// What Moonshot's error types mean. Three of them share the status 429: a limit, a busy engine, and unpaid bills.
enum KimiErrors {
  static func mapping(origin: String) -> ErrorMapping {
    let advice = regionAdvice(origin)
    return ErrorMapping(
      rows: [
        ErrorRow("content_filter", .contentFilter),
        ErrorRow("invalid_request_error", saying: "token limit", .contextLength),
        // Codes and a status that say more than the type beside them, as other servers of the format have it.
        ErrorRow("context_length_exceeded", .contextLength),
        ErrorRow("model_not_found", .modelNotFound),
        ErrorRow(.status(401), .authentication, advice: advice),
        ErrorRow("invalid_request_error", .badRequest),
        ErrorRow("invalid_authentication_error", .authentication, advice: advice),
        ErrorRow("incorrect_api_key_error", .authentication, advice: advice),
        ErrorRow("permission_denied_error", .permission),
        ErrorRow("resource_not_found_error", .modelNotFound),
        ErrorRow("exceeded_current_quota_error", .quota),
        ErrorRow("rate_limit_reached_error", saying: "concurrency", .concurrency, retry: true),
        // A limit per day: waiting within a call does not help.
        ErrorRow("rate_limit_reached_error", saying: "tpd", .rateLimited),
        ErrorRow("rate_limit_reached_error", .rateLimited, retry: true),
        ErrorRow("engine_overloaded_error", .overloaded, retry: true),
        // Their side saw us leave; the answer may have been billed all the same.
        ErrorRow("client_closed_request", .network),
        ErrorRow(.status(499), .network),
        ErrorRow("server_error", .upstream, retry: true),
      ],
      requestIDHeaders: ["x-trace-id", "msh-request-id", "x-request-id"])
  }

  /// Keys are bound to a region, and the other one answers 401.
  private static func regionAdvice(_ origin: String) -> String? {
    switch origin {
    case "https://api.moonshot.ai":
      "base_url is the international region: a key of the Chinese one belongs to https://api.moonshot.cn/v1"
    case "https://api.moonshot.cn":
      "base_url is the Chinese region: an international key belongs to https://api.moonshot.ai/v1"
    default: nil
    }
  }
}
