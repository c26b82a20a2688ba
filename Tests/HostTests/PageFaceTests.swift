import Glibc
import Testing
import Wire

@testable import Host

private func contents(of path: String) throws -> String {
  let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
  let file = try #require(fopen("\(root)/Sources/Host/Faces/Page/assets/\(path)", "r"), "\(path) cannot be read")
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
  return String(decoding: bytes, as: UTF8.self)
}

/// The page as a listener hands it out. What it does in a browser is shown by test_page.py.
struct PageFaceTests {
  private func ask(
    _ path: String, _ headers: String = "", method: String = "GET", serves: Configuration.Services = .monitor
  ) throws -> (HTTPResponseHead, body: String) {
    let request = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n"
    let client = try BenchClient(try HostBench(), peer: .unix, serves: serves, request: request)
    let head = try #require(try client.head())
    return (head, client.rest().text)
  }

  @Test func `what the host carries is what stands in assets`() throws {
    let paths = PageAssets.all.keys.sorted()
    #expect(Set(["/", "/page.js", "/page.css", "/icon.svg"]).isSubset(of: paths))
    for path in paths {
      let text = try contents(of: path == "/" ? "index.html" : String(path.dropFirst()))
      let isCarried = PageAssets.all[path]?.text == text
      #expect(isCarried, "\(path) has changed; run `make page`")
    }
  }

  @Test func `every file that the page names is carried`() throws {
    let all = PageAssets.all.values.map(\.text).joined()
    for path in PageAssets.all.keys where path.hasPrefix("/page/") {
      let name = try #require(path.split(separator: "/").last)
      let isNamed = all.contains("/\(name)\"")
      #expect(isNamed, "\(path) is asked for by none of them")
    }
    let script = try #require(PageAssets.all["/page.js"]).text
    for line in script.split(separator: "\n") where line.hasPrefix("import ") {
      let path = try #require(line.split(separator: "\"").last { $0.hasPrefix("./") }).dropFirst()
      #expect(PageAssets.all[String(path)] != nil, "\(path)")
    }
  }

  @Test(arguments: [
    ("/", "text/html; charset=utf-8"), ("/page.js", "text/javascript; charset=utf-8"),
    ("/page.css", "text/css; charset=utf-8"), ("/icon.svg", "image/svg+xml"),
    ("/page/feed.js", "text/javascript; charset=utf-8"),
  ])
  func `a file comes with its type, a tag and a strict policy`(path: String, type: String) throws {
    let (head, body) = try ask(path)
    let isWhole = body == PageAssets.all[path]?.text
    #expect(head.status == 200 && isWhole)
    #expect(head.headers["content-type"] == type)
    #expect(head.headers["cache-control"] == "no-cache")
    #expect(head.headers["x-content-type-options"] == "nosniff")
    #expect(head.headers["referrer-policy"] == "no-referrer")
    let policy = try #require(head.headers["content-security-policy"])
    #expect(
      policy.hasPrefix(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
          + "form-action 'self'; frame-ancestors 'none'"))
    #expect(!policy.contains("unsafe"))
  }

  @Test func `whoever has a file already is told so, and nothing is sent again`() throws {
    let tag = try #require(PageAssets.all["/page.js"]).tag
    #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.count == 34)
    for known in [tag, "W/\(tag)", "\"other\", \(tag)", "\"other\" ,\t\(tag) ", "*"] {
      let (head, body) = try ask("/page.js", "If-None-Match: \(known)\r\n")
      #expect(head.status == 304 && body.isEmpty, "\(known)")
      #expect(head.headers["etag"] == tag && head.headers["content-type"] == nil)
    }
    for other in ["\"other\"", String(tag.dropFirst().dropLast()), "W/", ""] {
      #expect(try ask("/page.js", "If-None-Match: \(other)\r\n").0.status == 200, "\(other)")
    }
  }

  @Test(arguments: [("HEAD", 200), ("OPTIONS", 204), ("POST", 405), ("PUT", 405), ("DELETE", 405)])
  func `only GET and HEAD are answered`(method: String, status: Int) throws {
    let (head, body) = try ask("/page.css", method: method)
    #expect(head.status == status)
    #expect(status == 405 || body.isEmpty)
    if method == "HEAD" {
      #expect(head.headers["content-length"] == "\(PageAssets.all["/page.css"]?.text.utf8.count ?? 0)")
    }
  }

  @Test(arguments: ["/page", "/page/", "/page/none.js", "/index.html", "/assets/page.js", "//page.js", "/page.js/"])
  func `no other path leads to a file`(path: String) throws {
    #expect(try ask(path).0.status == 404)
  }

  @Test func `a listener without monitor has no page`() throws {
    #expect(try ask("/page.js", serves: .health).0.status == 404)
    #expect(try ask("/page.js", serves: .websocket).0.status == 404)
  }
}
