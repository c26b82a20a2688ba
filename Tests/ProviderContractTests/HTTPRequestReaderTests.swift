import CProviderABI
import Testing

@testable import ProviderContract

@Suite struct HTTPRequestReaderTests {
  private let reader = HTTPRequestReader(origins: [UpstreamOrigin("https://api.example.org/v1")!])

  private func read(
    _ url: StaticString = "https://api.example.org/v1/x", header: (StaticString, StaticString)? = nil,
    _ change: (inout prv_http_request) -> Void = { _ in }
  ) throws(HTTPRequestFault) -> CheckedHTTPRequest {
    var request = prv_http_request()
    request.size = UInt32(MemoryLayout<prv_http_request>.size)
    request.method = prv_str("POST")
    request.url = prv_str(url)
    var field = prv_header(name: prv_str(header?.0 ?? ""), value: prv_str(header?.1 ?? ""))
    return try withUnsafePointer(to: &field) { (field) throws(HTTPRequestFault) in
      if header != nil {
        request.headers = field
        request.header_count = 1
      }
      change(&request)
      return try reader.read(&request)
    }
  }

  private func fault(
    _ url: StaticString = "https://api.example.org/v1/x", header: (StaticString, StaticString)? = nil,
    _ change: (inout prv_http_request) -> Void = { _ in }
  ) -> HTTPRequestFault? {
    do throws(HTTPRequestFault) {
      _ = try read(url, header: header, change)
      return nil
    } catch { return error }
  }

  @Test func `a good request is copied whole`() throws {
    let request = try read(header: ("Accept", "text/event-stream")) {
      $0.auth_ref = prv_str("api_key")
      $0.auth_scheme = prv_str("header:x-key")
      $0.response_mode = PRV_HTTP_SSE
    }
    #expect(request.method == "POST" && request.url == "https://api.example.org/v1/x" && request.wantsEvents)
    #expect(request.headers.map(\.name) == ["Accept"])
    #expect(request.credential == .header("x-key"))
    #expect(request.responseBytesLimit == 64 << 20)
  }

  @Test(
    arguments: ["http://api.example.org/", "https://api.example.org:8443/", "https://example.org/"] as [StaticString])
  func `another origin is refused as not permitted`(url: StaticString) {
    #expect(fault(url)?.status == PRV_E_PERMISSION)
  }

  @Test(arguments: ["", "ftp://api.example.org/", "https://me@api.example.org/", "/v1"] as [StaticString])
  func `what is no plain URL is refused as invalid`(url: StaticString) {
    #expect(fault(url)?.status == PRV_E_INVALID_ARGUMENT)
  }

  @Test func `headers that are the host's own, or would break the request, are refused`() {
    #expect(fault(header: ("Host", "x"))?.found == "Host")
    #expect(fault(header: ("content-length", "1"))?.found == "content-length")
    #expect(fault(header: ("X-A", "a\nb"))?.expected == "a value of X-A without control characters")
    #expect(fault(header: ("a b", "x"))?.found == "\"a b\"")
    #expect(fault(header: ("", "x"))?.found == "\"\"")
  }

  @Test func `bounds are held at one below, at, and one above`() {
    let needed = UInt32(MemoryLayout<prv_http_request>.offset(of: \.headers)!)
    #expect(fault { $0.size = needed - 1 }?.found == "\(needed - 1)")
    #expect(fault { $0.size = needed } == nil)
    let limit = Int(HTTPRequestReader.headersLimit)
    let fields = [prv_header](repeating: prv_header(name: prv_str("a"), value: prv_str("b")), count: limit + 1)
    fields.withUnsafeBufferPointer { fields in
      for (count, isGood) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
        let found = fault {
          $0.headers = fields.baseAddress
          $0.header_count = UInt64(count)
        }
        #expect((found == nil) == isGood)
      }
    }
  }

  @Test func `an unknown key, scheme, method or mode is named`() {
    #expect(fault { $0.auth_ref = prv_str("other") }?.expected == "an auth_ref of \"api_key\" or none")
    let scheme = fault {
      $0.auth_ref = prv_str("api_key")
      $0.auth_scheme = prv_str("basic")
    }
    #expect(scheme?.found == "\"basic\"")
    #expect(fault { $0.method = prv_str("PATCH") }?.found == "\"PATCH\"")
    #expect(fault { $0.response_mode = 2 }?.found == "2")
    #expect(fault { $0.body = prv_bytes(ptr: nil, len: 4) }?.found == "4 at a null pointer")
  }
}
