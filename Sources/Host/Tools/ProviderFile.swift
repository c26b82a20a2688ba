/// A file that came with a call: checked, decoded, and owned until the call's end.
///
/// `@unchecked Sendable`: written once, before it is shared.
package final class ProviderFile: @unchecked Sendable {
  private let memory: UnsafeMutableRawBufferPointer
  private let nameBytes: Int
  private let mediaTypeBytes: Int

  /// Copies what it is made of.
  package init(name: String, mediaType: String, content: [UInt8]) {
    let (name, mediaType) = (Array(name.utf8), Array(mediaType.utf8))
    memory = .allocate(byteCount: name.count + mediaType.count + content.count, alignment: 8)
    nameBytes = name.count
    mediaTypeBytes = mediaType.count
    memory.copyBytes(from: name)
    UnsafeMutableRawBufferPointer(rebasing: memory[name.count...]).copyBytes(from: mediaType)
    UnsafeMutableRawBufferPointer(rebasing: memory[(name.count + mediaType.count)...]).copyBytes(from: content)
  }

  deinit { memory.deallocate() }

  // Valid as long as the file.
  package var name: UnsafeRawBufferPointer { part(0..<nameBytes) }
  package var mediaType: UnsafeRawBufferPointer { part(nameBytes..<nameBytes + mediaTypeBytes) }
  package var content: UnsafeRawBufferPointer { part(nameBytes + mediaTypeBytes..<memory.count) }

  private func part(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[range])
  }
}
