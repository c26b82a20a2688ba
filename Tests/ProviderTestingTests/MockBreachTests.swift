import CProviderABI
import Foundation
import ProviderContract
import Testing

@testable import ProviderTesting

/// Each rule that a mock host can see broken, broken once.
@Suite(.serialized) struct MockBreachTests {
  private let host = MockHost()

  private func rules() -> [Rule] { host.breaches.map(\.rule) }

  @Test func `a call by the book breaks nothing`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    #expect(BarePlugin.emit(call.handle) == PRV_OK)
    #expect(BarePlugin.done(call.handle) == PRV_OK)
    host.run()
    #expect(call.isClosed && call.text == "a" && call.status == PRV_OK)
    #expect(rules() == [])
    #expect(BarePlugin.heard.withLock { $0 } == ["close"])
  }

  @Test func `an event after done, and a second done`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    BarePlugin.done(call.handle)
    #expect(BarePlugin.emit(call.handle) == PRV_E_STALE)
    #expect(BarePlugin.done(call.handle) == PRV_E_STALE)
    #expect(rules() == [.nothingAfterDone, .oneDone])
    #expect(call.dones.count == 2)
    host.run()
    #expect(call.isClosed)
  }

  @Test func `a done for a call that is refused`() throws {
    let instance = try BarePlugin.instance(on: host)
    BarePlugin.openAnswer.withLock { $0 = PRV_E_STATE }
    #expect(throws: MockFailure.self) { try instance.chat("hi") }
    #expect(rules() == [.oneDone])
    BarePlugin.openAnswer.withLock { $0 = PRV_OK }
  }

  @Test func `a handle of a closed call, and one that never was`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    BarePlugin.done(call.handle)
    host.run()
    #expect(BarePlugin.emit(call.handle) == PRV_E_STALE)
    #expect(BarePlugin.done(call.handle + 100) == PRV_E_STALE)
    #expect(rules() == [.handles, .handles])
    #expect(host.breaches.last?.breach.found == "one that the host never gave out")
  }

  @Test func `a text that is not UTF-8`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    #expect(BarePlugin.emit(call.handle, [0x61, 0xE2, 0x82]) == PRV_E_INVALID_ARGUMENT)
    #expect(rules() == [.wholeUTF8])
    BarePlugin.done(call.handle)
    host.run()
  }

  @Test func `no done within the grace after a cancel, at its end and not before`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    instance.cancel(call)
    instance.cancel(call)
    #expect(BarePlugin.heard.withLock { $0 } == ["cancel 1"])
    host.advance(nanoseconds: host.graceNanoseconds - 1)
    #expect(rules() == [])
    host.advance(nanoseconds: 1)
    #expect(rules() == [.doneAfterCancel])
    BarePlugin.done(call.handle)
    host.run()
    #expect(call.isClosed)
  }

  @Test func `a call past its deadline is cancelled by the host, at its end and not before`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.open(PRV_CALL_CHAT, body: "{}", seconds: 5)
    host.advance(nanoseconds: 4_999_999_999)
    #expect(!call.isCancelled)
    host.advance(nanoseconds: 1)
    #expect(BarePlugin.heard.withLock { $0 } == ["cancel 2"])
    #expect(BarePlugin.emit(call.handle) == PRV_CANCELLED)
    #expect(call.eventsAfterCancel == 1)
    BarePlugin.done(call.handle)
    host.run()
    #expect(rules() == [])
  }

  @Test func `two emits of one call at once`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    let handle = call.handle
    // While the first is in the host another thread comes, once.
    host.duringEmit = { [host] in
      host.duringEmit = {}
      let second = Thread { BarePlugin.emit(handle) }
      second.start()
      while !second.isFinished { sched_yield() }
    }
    BarePlugin.emit(handle)
    #expect(rules() == [.serialEvents])
    #expect(call.events.count == 2)
    BarePlugin.done(handle)
    host.run()
  }

  @Test func `a host function after destroy`() throws {
    let instance = try BarePlugin.instance(on: host)
    instance.destroy()
    instance.destroy()
    #expect(BarePlugin.heard.withLock { $0 } == ["stop", "destroy"])
    _ = BarePlugin.speak { $0.pointee.get_service($0.pointee.ctx, prv_str()) }
    #expect(rules() == [.silentAfterDestroy])
  }

  @Test func `after the host itself is gone nothing is harmed`() throws {
    do {
      let gone = MockHost()
      let instance = try BarePlugin.instance(on: gone)
      instance.destroy()
    }
    #expect(BarePlugin.emit(1) == PRV_E_STALE)
  }

  @Test func `stopping cancels what is open`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    instance.stop()
    #expect(BarePlugin.heard.withLock { $0 } == ["stop", "cancel 3"])
    BarePlugin.done(call.handle)
    host.run()
    instance.destroy()
    #expect(BarePlugin.heard.withLock { $0 } == ["stop", "cancel 3", "close", "destroy"])
    #expect(rules() == [])
  }

  @Test func `a breach tells the calls that led to it`() throws {
    let instance = try BarePlugin.instance(on: host)
    let call = try instance.chat("hi")
    BarePlugin.done(call.handle)
    BarePlugin.emit(call.handle)
    let lines = try #require(host.breaches.first).description.split(separator: "\n")
    #expect(lines[0].hasPrefix("PRV-R006 at emit: expected no event after done, found one"))
    let last = lines.suffix(3).map { line in line.split(separator: " ")[3] }
    #expect(last == ["call_open", "done", "emit"])
    host.run()
  }

  @Test func `the settings are read by their path`() throws {
    let instance = try BarePlugin.instance(on: host)
    defer { instance.destroy() }
    func get(_ path: StaticString) -> (Int32, String) {
      let service = BarePlugin.speak { host in
        "prv.config/1".withCString { host.pointee.get_service(host.pointee.ctx, prv_str(ptr: $0, len: 12)) }
      }
      let table = service!.assumingMemoryBound(to: prv_config_v1.self)
      return BarePlugin.speak { host in
        let path = prv_str(
          ptr: UnsafeRawPointer(path.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(path.utf8CodeUnitCount)
        )
        var found: [UInt8] = []
        let status = withUnsafeMutablePointer(to: &found) { found in
          table.pointee.get(
            host.pointee.ctx, path,
            prv_sink(ctx: found) { context, text in
              context!.assumingMemoryBound(to: [UInt8].self).pointee += UnsafeRawBufferPointer(
                start: text.ptr, count: Int(text.len))
            })
        }
        return (status, String(decoding: found, as: UTF8.self))
      }
    }
    #expect(get("base_url") == (PRV_OK, #""https://a.example""#))
    #expect(get("n.0") == (PRV_OK, "7"))
    #expect(get("n.1") == (PRV_E_NOT_FOUND, ""))
    #expect(get("other") == (PRV_E_NOT_FOUND, ""))
  }
}
