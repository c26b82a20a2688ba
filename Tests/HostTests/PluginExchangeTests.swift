import CProviderABI
import Synchronization
import Testing
import Wire

@testable import Host

/// What a plugin's HTTP exchanges may reach, and how they follow their call.
@Suite struct PluginExchangeTests {
  private let bench: PluginBench
  private let sink = RecordingSink()
  private let listener = Listener()

  /// Keeps what the callbacks said.
  private final class Listener: @unchecked Sendable {
    private let state = Mutex<[String]>([])
    var words: [String] { state.withLock { $0 } }
    func add(_ word: String) { state.withLock { $0.append(word) } }

    static func from(_ pointer: UnsafeMutableRawPointer?) -> Listener {
      Unmanaged<Listener>.fromOpaque(pointer!).takeUnretainedValue()
    }
  }

  init() throws {
    bench = try PluginBench { $0.allowedOrigins = ["http://[::1]:8080"] }
  }

  private struct Answer: Equatable {
    var status: Int32
    var exchange: prv_exchange
  }

  private func request(
    _ call: ProviderCallID, _ url: String = "https://api.example.org/v1/chat", method: StaticString = "POST",
    auth: StaticString = "api_key", scheme: StaticString = "", headers: [(StaticString, StaticString)] = []
  ) throws -> Answer {
    let http = try #require(bench.service(PRV_SERVICE_HTTP, as: prv_http_v1.self)).pointee
    let context = bench.table.pointee.ctx
    var callbacks = prv_http_callbacks()
    callbacks.size = UInt32(MemoryLayout<prv_http_callbacks>.size)
    callbacks.on_headers = { listener, _, status, headers, count in
      let names = (0..<Int(count)).map { "\(headers![$0].name.excerpt)=\(headers![$0].value.excerpt)" }
      Listener.from(listener).add("headers \(status) \(names.joined(separator: ","))")
    }
    callbacks.on_body = { listener, _, bytes in Listener.from(listener).add("body \(bytes.len)") }
    callbacks.on_sse = { listener, _, event, id, data in
      Listener.from(listener).add("event \(event.excerpt) \(id.excerpt) \(data.excerpt)")
    }
    callbacks.on_complete = { listener, _, result in
      Listener.from(listener).add("complete \(result!.pointee.status) \(result!.pointee.message.excerpt)")
    }
    let fields = headers.map { prv_header(name: prv_str($0.0), value: prv_str($0.1)) }
    let argument = Unmanaged.passUnretained(listener).toOpaque()
    var url = url
    return url.withUTF8 { url in
      fields.withUnsafeBufferPointer { fields in
        var raw = prv_http_request()
        raw.size = UInt32(MemoryLayout<prv_http_request>.size)
        raw.method = prv_str(method)
        raw.url = prv_str(UnsafeRawBufferPointer(url))
        raw.headers = fields.baseAddress
        raw.header_count = UInt64(fields.count)
        raw.auth_ref = prv_str(auth)
        raw.auth_scheme = prv_str(scheme)
        raw.response_mode = PRV_HTTP_SSE
        var exchange: prv_exchange = 0
        let status = http.request(context, call.rawValue, &raw, &callbacks, argument, &exchange)
        return Answer(status: status, exchange: exchange)
      }
    }
  }

  private func requestOnLoop(_ call: ProviderCallID, _ url: String = "https://api.example.org/v1/chat") throws -> Answer
  {
    try bench.onLoop { Result { try request(call, url) } }.get()
  }

  private func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  }

  private func complete(_ number: Int, _ result: UpstreamResult = UpstreamResult(failure: nil)) {
    bench.onLoop { [bench] in
      bench.upstream.delegates[number - 1].upstreamComplete(UpstreamExchangeID(rawValue: UInt64(number)), result)
    }
  }

  @Test func `an exchange is heard in order, and its phases reach the sink`() throws {
    let call = try bench.open("hold", sink).get()
    #expect(try requestOnLoop(call).status == PRV_OK)
    bench.onLoop { [bench] in
      let exchange = UpstreamExchangeID(rawValue: 1)
      let delegate = bench.upstream.delegates[0]
      delegate.upstreamConnected(exchange)
      delegate.upstreamHead(exchange, status: 200, headers: [("A", "1"), ("B", "")])
      delegate.upstreamBody(exchange, bytes("1234"))
      delegate.upstreamEvent(exchange, name: bytes("message"), id: bytes("7"), data: bytes("{}"))
      delegate.upstreamComplete(exchange, UpstreamResult(failure: nil))
    }
    #expect(listener.words == ["headers 200 A=1,B=", "body 4", "event message 7 {}", "complete 0 "])
    #expect(sink.words == ["connected", "headers"])
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `the host tells the upstream the call's trace, in place of what the plugin says`() throws {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    let headers: [(StaticString, StaticString)] = [("TraceParent", "mine"), ("TRACESTATE", "mine=1"), ("X-Other", "1")]
    func sent(_ trace: TraceContext?) throws -> [String] {
      bench.trace = trace
      let call = try bench.open("hold", sink).get()
      let answer = try bench.onLoop { Result { try request(call, headers: headers) } }.get()
      #expect(answer.status == PRV_OK)
      return try #require(bench.upstream.requests.last).headers.map { "\($0.name): \($0.value)" }
    }
    #expect(try sent(nil) == ["TraceParent: mine", "TRACESTATE: mine=1", "X-Other: 1"])
    let state = TraceContext(parent: parent, state: "vendor=a")
    #expect(try sent(state) == ["X-Other: 1", "traceparent: \(parent)", "tracestate: vendor=a"])
    #expect(try sent(TraceContext(parent: parent)) == ["X-Other: 1", "traceparent: \(parent)"])
    #expect(try sent(nil).count == 3, "a trace ends with its call")
  }

  @Test func `the host adds the key, as the scheme says`() throws {
    let call = try bench.open("hold", sink).get()
    for (scheme, expected) in [
      ("", "Authorization: Bearer sk-0123456789"), ("bearer", "Authorization: Bearer sk-0123456789"),
      ("header:X-Key", "X-Key: sk-0123456789"),
    ] as [(StaticString, String)] {
      let answer = try bench.onLoop { Result { try request(call, scheme: scheme) } }.get()
      #expect(answer.status == PRV_OK)
      let credential = try #require(bench.upstream.requests.last?.credential)
      #expect("\(credential.name): \(credential.value)" == expected)
    }
    let without = try bench.onLoop { Result { try request(call, auth: "") } }.get()
    #expect(without.status == PRV_OK)
    #expect(bench.upstream.requests.last?.credential == nil)
    for scheme in ["basic", "header:", "header:A B", "header:A:"] as [StaticString] {
      #expect(try request(call, scheme: scheme).status == PRV_E_INVALID_ARGUMENT)
    }
    #expect(try request(call, auth: "other").status == PRV_E_INVALID_ARGUMENT)
  }

  @Test(
    arguments: [
      ("https://api.example.org/v1", PRV_OK), ("https://API.example.org:443/x?y#z", PRV_OK),
      ("HTTPS://api.example.org", PRV_OK),
      ("http://[::1]:8080/", PRV_OK), ("http://api.example.org/v1", PRV_E_PERMISSION),
      ("https://api.example.org:444/", PRV_E_PERMISSION), ("https://api.example.org.evil.net/", PRV_E_PERMISSION),
      ("https://127.0.0.1/", PRV_E_PERMISSION), ("http://[::1]/", PRV_E_PERMISSION),
      ("https://api.example.org@evil.net/", PRV_E_INVALID_ARGUMENT),
      ("https://a:b@api.example.org/", PRV_E_INVALID_ARGUMENT),
      ("https://api.example.org\\@evil.net/", PRV_E_INVALID_ARGUMENT), ("file:///etc/passwd", PRV_E_INVALID_ARGUMENT),
      ("https://api.example.org/ x", PRV_E_INVALID_ARGUMENT), ("https:api.example.org", PRV_E_INVALID_ARGUMENT),
      ("https://", PRV_E_INVALID_ARGUMENT), ("https://api.example.org:", PRV_E_INVALID_ARGUMENT),
      ("https://api.example.org:0/", PRV_E_INVALID_ARGUMENT),
      ("https://api.example.org:65536/", PRV_E_INVALID_ARGUMENT),
      ("https://api.ex%61mple.org/", PRV_E_INVALID_ARGUMENT), ("", PRV_E_INVALID_ARGUMENT),
    ] as [(String, Int32)])
  func `only the provider's origins are reached`(url: String, status: Int32) throws {
    let call = try bench.open("hold", sink).get()
    let answer = try requestOnLoop(call, url)
    #expect(answer.status == status)
    #expect(bench.upstream.requests.count == (status == PRV_OK ? 1 : 0))
  }

  @Test func `headers that are the host's, or that break lines, are refused`() throws {
    let call = try bench.open("hold", sink).get()
    for header in [
      ("Host", "evil.net"), ("content-length", "3"), ("Transfer-Encoding", "chunked"), ("A", "b\r\nc: d"),
      ("A\nB", "c"),
      ("", "x"), ("A ", "x"),
    ] as [(StaticString, StaticString)] {
      #expect(try request(call, headers: [header]).status == PRV_E_INVALID_ARGUMENT)
    }
    #expect(try request(call, method: "CONNECT").status == PRV_E_INVALID_ARGUMENT)
  }

  @Test func `a call has 8 exchanges, and a completed one makes room`() throws {
    let call = try bench.open("hold", sink).get()
    for _ in 0..<8 { #expect(try requestOnLoop(call).status == PRV_OK) }
    #expect(try requestOnLoop(call).status == PRV_E_LIMIT)
    complete(3)
    #expect(try requestOnLoop(call).status == PRV_OK)
  }

  @Test func `an exchange that another thread asks for starts on the loop`() throws {
    let call = try bench.open("hold", sink).get()
    #expect(try request(call).status == PRV_OK)
    bench.settle()
    #expect(bench.upstream.requests.count == 1)
    bench.upstream.refusal = ProviderFailure(status: PRV_E_NETWORK, message: "no route")
    #expect(try request(call).status == PRV_OK)
    bench.settle()
    #expect(listener.words == ["complete -16 the request could not be sent"])
    #expect(try requestOnLoop(call).status == PRV_E_NETWORK)
  }

  @Test func `exchanges pause and resume with their call`() throws {
    let call = try bench.open("hold", sink).get()
    #expect(try requestOnLoop(call).status == PRV_OK)
    sink.answer(.pause)
    _ = bench.onLoop { [bench] in [bench.emit(call, "a"), bench.emit(call, "b")] }
    #expect(bench.upstream.words == ["pause 1"])
    #expect(try requestOnLoop(call).status == PRV_OK)
    #expect(bench.upstream.words == ["pause 1", "pause 2"])
    bench.onLoop { [bench] in bench.provider.resume(call, on: bench.loop) }
    #expect(bench.upstream.words == ["pause 1", "pause 2", "resume 1", "resume 2"])
  }

  @Test func `done aborts the exchanges, and the call is closed after the last has completed`() throws {
    let call = try bench.open("hold", sink).get()
    #expect(try requestOnLoop(call).status == PRV_OK)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
    bench.settle()
    #expect(bench.upstream.words == ["cancel 1"])
    #expect(bench.count("closes") == 0)
    complete(1, UpstreamResult(failure: nil, isCancelled: true))
    #expect(listener.words == ["complete 2 "])
    #expect(bench.count("closes") == 1)
  }

  @Test func `cancel aborts the exchanges before the plugin is told`() throws {
    bench.beDeaf()
    let call = try bench.open("hold", sink).get()
    #expect(try requestOnLoop(call).status == PRV_OK)
    bench.onLoop { [bench] in bench.provider.cancel(call, reason: .client, on: bench.loop) }
    #expect(bench.upstream.words == ["cancel 1"])
    #expect(bench.count("cancels") == 1)
    #expect(try requestOnLoop(call).status == PRV_CANCELLED)
    #expect(bench.done(call) == PRV_OK)
    #expect(try requestOnLoop(call).status == PRV_E_STALE)
  }

  @Test func `a plugin's cancel aborts its exchange once`() throws {
    let http = try #require(bench.service(PRV_SERVICE_HTTP, as: prv_http_v1.self)).pointee
    let call = try bench.open("hold", sink).get()
    let answer = try requestOnLoop(call)
    let context = bench.table.pointee.ctx
    #expect(http.cancel(context, answer.exchange) == PRV_OK)
    #expect(http.cancel(context, answer.exchange) == PRV_OK)
    bench.settle()
    #expect(bench.upstream.words == ["cancel 1"])
    complete(1, UpstreamResult(failure: nil, isCancelled: true))
    #expect(listener.words == ["complete 2 "])
    #expect(http.cancel(context, answer.exchange) == PRV_E_STALE)
  }

  @Test func `a timeout of the call names the clock of its exchange`() throws {
    let call = try bench.open("hold", sink).get()
    #expect(try requestOnLoop(call).status == PRV_OK)
    var failure = ProviderFailure(status: PRV_E_TIMEOUT, message: "no answer")
    failure.clock = .firstByte
    complete(1, UpstreamResult(failure: failure))
    #expect(bench.done(call, PRV_E_TIMEOUT) == PRV_OK)
    #expect(try sink.failure().clock == .firstByte)
  }
}
