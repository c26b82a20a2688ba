import Glibc
import Testing

@testable import Host

private func notice(_ variables: [String: String], pid: Int32 = 7) -> ServiceNotice? {
  ServiceNotice(environment: { variables[$0] }, pid: pid)
}

/// The receiving end of an abstract name.
private final class Receiver {
  let name: String
  private let descriptor: Int32

  init(_ name: String) {
    self.name = "@" + name
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0[1...].copyBytes(from: Array(name.utf8)) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = bind(descriptor, $0, length) }
    }
  }

  deinit { close(descriptor) }

  /// nil: nothing is there.
  func next() -> String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}

struct ServiceNoticeTests {
  @Test(arguments: ["", "@", "relative", "vsock:2:1", "/" + String(repeating: "x", count: 107)])
  func `what is no address is nobody's`(name: String) { #expect(notice(["NOTIFY_SOCKET": name]) == nil) }

  @Test func `the longest path that fits is taken`() {
    #expect(notice(["NOTIFY_SOCKET": "/" + String(repeating: "x", count: 106)]) != nil)
    #expect(notice([:]) == nil)
  }

  @Test(
    arguments: [
      ("2000000", nil, 2_000_000_000), ("2000000", "7", 2_000_000_000), ("2000000", "8", nil), ("0", nil, nil),
      ("-1", nil, nil), ("soon", nil, nil), ("18446744073709551615", nil, nil), (nil, nil, nil),
    ] as [(String?, String?, UInt64?)])
  func `the watchdog is that of this process`(interval: String?, pid: String?, expected: UInt64?) throws {
    var variables = ["NOTIFY_SOCKET": "/run/notify"]
    variables["WATCHDOG_USEC"] = interval
    variables["WATCHDOG_PID"] = pid
    #expect(try #require(notice(variables)).watchdogNanoseconds == expected)
  }

  @Test func `what is told arrives in order, a state only when it is another`() throws {
    let receiver = Receiver("patchbay-test-\(getpid())-\(UInt32.random(in: .min ... .max))")
    let told = try #require(notice(["NOTIFY_SOCKET": receiver.name]))
    told.ready()
    told.status("two\nlines")
    told.status("two\nlines")
    told.reloading(now: .init(nanoseconds: 5_000_999))
    told.watchdog()
    told.stopping()
    let got = (0..<6).map { _ in receiver.next() }
    #expect(
      got == ["READY=1", "STATUS=two lines", "RELOADING=1\nMONOTONIC_USEC=5000", "WATCHDOG=1", "STOPPING=1", nil])
  }

  @Test func `what nobody takes yet waits, but a sign of life does not`() throws {
    let name = "patchbay-test-\(getpid())-\(UInt32.random(in: .min ... .max))"
    let told = try #require(notice(["NOTIFY_SOCKET": "@" + name]))
    told.ready()
    told.watchdog()
    told.status("well")
    let receiver = Receiver(name)
    told.flush()
    #expect((0..<3).map { _ in receiver.next() } == ["READY=1", "STATUS=well", nil])
  }

  @Test(arguments: [(31, 0), (32, 0), (33, 1)])
  func `thirty-two wait, and the oldest goes first`(count: Int, lost: Int) throws {
    let name = "patchbay-test-\(getpid())-\(UInt32.random(in: .min ... .max))"
    let told = try #require(notice(["NOTIFY_SOCKET": "@" + name]))
    for number in 0..<count { told.status("\(number)") }
    let receiver = Receiver(name)
    var got: [String] = []
    repeat {
      told.flush()
      while let text = receiver.next() { got.append(text) }
    } while got.last != "STATUS=\(count - 1)" && !got.isEmpty
    #expect(got == (lost..<count).map { "STATUS=\($0)" })
  }
}
