import CProviderABI
import Testing

@testable import ProviderContract

@Suite struct EventReaderTests {
  private func fault(_ change: (inout prv_event) -> Void, text: [UInt8] = []) -> EventFault? {
    text.withUnsafeBytes { bytes in
      var event = prv_event()
      event.size = UInt32(MemoryLayout<prv_event>.size)
      event.kind = PRV_EVENT_TEXT
      event.text = prv_str(bytes)
      change(&event)
      guard case .broken(let fault) = EventReader.read(&event) else { return nil }
      return fault
    }
  }

  @Test func `a size that covers no kind is refused, and one that ends before the texts is read`() {
    let head = UInt32(MemoryLayout<prv_event>.offset(of: \.text)!)
    #expect(fault { $0.size = head - 1 } == .short(bytes: head - 1))
    #expect(fault { $0.size = head } == nil)
    #expect(fault { $0.size = head + 1 } == nil)
    #expect(EventFault.short(bytes: 3).breach(of: 9).rule == .structHead)
  }

  @Test func `a length without a pointer is named with its field`() {
    #expect(fault { $0.name = prv_str(ptr: nil, len: 1) } == .noText(.name))
    #expect(fault { $0.id = prv_str(ptr: nil, len: 0) } == nil)
    #expect(EventFault.noText(.name).breach(of: 9).expected == "a prv_event.name with a pointer")
  }

  @Test func `a text is read up to its bound`() {
    let limit = EventReader.textBytesLimit
    let whole = [UInt8](repeating: 0x61, count: limit + 1)
    #expect(fault({ $0.text.len = UInt64(limit) }, text: whole) == nil)
    #expect(fault({ $0.text.len = UInt64(limit + 1) }, text: whole) == .longText(.text, bytes: UInt64(limit + 1)))
  }

  @Test func `a split character is found at every byte of it`() {
    let text = Array("aé€😀".utf8)
    let boundaries: Set<Int> = [0, 1, 3, 6, 10]
    for end in 0...text.count {
      let expected = boundaries.filter { $0 <= end }.max()!
      let found = fault({ _ in }, text: Array(text[..<end]))
      #expect(found == (expected == end ? nil : .notUTF8(.text, offset: expected, bytes: end)))
    }
    let breach = EventFault.notUTF8(.text, offset: 1, bytes: 2).breach(of: 9)
    #expect(breach.rule == .wholeUTF8)
    #expect(breach.found == "2 bytes that are not, from byte 1 on")
  }

  @Test func `a usage event needs its usage`() {
    #expect(fault { $0.kind = PRV_EVENT_USAGE } == .noUsage)
  }
}
