import OpenAIWire

/// What Zhipu's numeric codes mean; they are texts on the wire, and say more than the HTTP status.
enum GLMErrors {
  static let mapping = ErrorMapping(
    rows: [
      // Keys.
      ErrorRow("1000", .authentication), ErrorRow("1001", .authentication), ErrorRow("1002", .authentication),
      ErrorRow("1003", .authentication), ErrorRow("1004", .authentication),
      // The account: 1113 owes money.
      ErrorRow("1110", .permission), ErrorRow("1111", .permission), ErrorRow("1112", .permission),
      ErrorRow("1113", .quota), ErrorRow("1120", .permission), ErrorRow("1121", .permission),
      // The request.
      ErrorRow("1210", .badRequest), ErrorRow("1211", .modelNotFound), ErrorRow("1212", .badRequest),
      ErrorRow("1213", .badRequest), ErrorRow("1214", .badRequest), ErrorRow("1215", .badRequest),
      ErrorRow("1220", .permission), ErrorRow("1221", .notFound), ErrorRow("1222", .notFound),
      ErrorRow("1230", .upstream, retry: true),
      // A request id that was used before: none is sent, so the next try has another.
      ErrorRow("1231", .badRequest, retry: true),
      ErrorRow("1234", .network, retry: true), ErrorRow("1261", .contextLength),
      // Content.
      ErrorRow("1300", .contentFilter), ErrorRow("1301", .contentFilter),
      // Limits: 1304, 1308 and 1310 last for hours or days, so the same call does not outwait them.
      ErrorRow("1302", .concurrency, retry: true), ErrorRow("1303", .rateLimited, retry: true),
      ErrorRow("1304", .rateLimited), ErrorRow("1305", .rateLimited, retry: true), ErrorRow("1308", .rateLimited),
      ErrorRow("1310", .rateLimited),
      // The plan.
      ErrorRow("1309", .quota), ErrorRow("1311", .quota),
      ErrorRow("1312", .overloaded, retry: true), ErrorRow("1313", .permission),
      ErrorRow(.status(434), .permission), ErrorRow(.status(435), .badRequest),
    ],
    requestIDHeaders: ["x-log-id", "x-request-id"],
    // 1308 says in its text when the limit ends, by Beijing's clocks.
    resetOffsetSeconds: 8 * 3600)
}
