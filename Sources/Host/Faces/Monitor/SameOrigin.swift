import Wire

/// Whether a request that changes something may come from a page of the host's own: no other page may make a browser
/// send it (cross-site request forgery).
enum SameOrigin {
  /// nil: it may. A program says neither where it stands nor that it comes from a page.
  ///
  /// Sec-Fetch-Site is the browser's own word (W3C Fetch Metadata) and counts more than Origin, which a proxy that
  /// speaks TLS for the host makes look foreign.
  static func fault(_ head: HTTPRequestHead, isSecure: Bool) -> String? {
    let sites = head.headers.all("sec-fetch-site")
    guard sites.allSatisfy({ $0 == "same-origin" }) else {
      return "Sec-Fetch-Site says that another site's page asks; only the host's own may"
    }
    let isOwn = head.headers.all("origin").allSatisfy {
      Origin.isSame($0, host: head.headers["host"] ?? "", isSecure: isSecure)
    }
    guard isOwn || !sites.isEmpty else { return "Origin is another one than the host's own" }
    return nil
  }
}
