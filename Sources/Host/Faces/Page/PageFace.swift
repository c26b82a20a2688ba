import Wire

/// The page at the monitor listener: files that are carried in the host (`PageAssets`), and nothing of its state.
///
/// Who has no token gets them too, since the login is part of them; what they show comes from paths that ask for one.
/// Thread: the loop's.
enum PageFace {
  /// What a browser may do with the page: load its own files, ask its own host, and nothing else. Without Trusted Types
  /// of its own, no script of it can turn text into markup.
  private static let policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
    "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].joined(separator: "; ")

  private static let headers = [
    ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    // A browser asks each time whether its copy is that of the host that runs now.
    ("Cache-Control", "no-cache"),
  ]

  /// nil: nothing is served at this path.
  static func route(at path: String) -> Route? {
    guard let asset = PageAssets.all[path] else { return nil }
    return Route(access: .open) { head, _ in .reply(reply(asset, to: head)) }
  }

  private static func reply(_ asset: PageAssets.Asset, to head: HTTPRequestHead) -> HTTPReply {
    let headers = headers + [("ETag", asset.tag)]
    if isKnown(asset.tag, to: head) { return HTTPReply(status: 304, body: "", headers: headers) }
    return HTTPReply(status: 200, contentType: asset.type, body: asset.text, headers: headers)
  }

  /// RFC 9110 §13.1.2, with the weak comparison that it asks for: a proxy may have weakened the tag.
  private static func isKnown(_ tag: String, to head: HTTPRequestHead) -> Bool {
    head.headers.all("if-none-match").contains { field in
      field.split(separator: ",").contains { one in
        let known = one.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
        let text = String(known)
        return text == "*" || text == tag || text == "W/\(tag)"
      }
    }
  }
}
