/// Plays the upstream by itself: answers each request that the plugin makes.
public final class MockUpstream {
  /// One rule: the first that fits a request answers it.
  public struct Route: Sendable {
    public var method: String
    /// What the URL's path ends with.
    public var path: String
    /// How many requests it still answers; nil: all.
    public var remaining: Int?
    public var answer: UpstreamAnswer

    public init(method: String, path: String, remaining: Int? = nil, answer: UpstreamAnswer) {
      self.method = method
      self.path = path
      self.remaining = remaining
      self.answer = answer
    }
  }

  public var routes: [Route]
  /// Looks at each request first; nil: the routes decide.
  public var respond: ((MockExchange) -> UpstreamAnswer?)?
  /// Requests that no route fits; they are answered with 404.
  public internal(set) var unexpected: [String] = []

  public init(_ routes: [Route] = []) { self.routes = routes }

  /// The same answer to every POST.
  public convenience init(chat answer: UpstreamAnswer) {
    self.init([Route(method: "POST", path: "", answer: answer)])
  }

  /// The exchanges of a recording, each answering once, in their order; the last of a path answers all that follow.
  public convenience init(_ recording: [RecordedExchange]) {
    self.init(
      recording.enumerated().map { place, exchange in
        let isLast = !recording[(place + 1)...].contains { $0.method == exchange.method && $0.path == exchange.path }
        return Route(
          method: exchange.method, path: exchange.path, remaining: isLast ? nil : 1, answer: exchange.answer)
      })
  }

  func answer(to exchange: MockExchange) -> UpstreamAnswer {
    if let answer = respond?(exchange) { return answer }
    let path = exchange.url.prefix { $0 != "?" && $0 != "#" }
    for index in routes.indices {
      let route = routes[index]
      guard route.method == exchange.method, path.hasSuffix(route.path), route.remaining != 0 else { continue }
      if let remaining = route.remaining { routes[index].remaining = remaining - 1 }
      return route.answer
    }
    unexpected.append("\(exchange.method) \(exchange.url)")
    return UpstreamAnswer(status: 404, body: #"{"error":{"message":"no such path","type":"not_found"}}"#)
  }
}
