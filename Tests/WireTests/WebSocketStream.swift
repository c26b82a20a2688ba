import Bytes
import Wire

/// What a decoder said, with its payload copied.
enum SeenFrame: Equatable {
  case text(String)
  case binary([UInt8])
  case ping(String)
  case pong(String)
  case close(UInt16?, String)

  init(_ event: WebSocketEvent) {
    func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
    self =
      switch event {
      case .text(let bytes): .text(text(bytes))
      case .binary(let bytes): .binary([UInt8](bytes))
      case .ping(let bytes): .ping(text(bytes))
      case .pong(let bytes): .pong(text(bytes))
      case .close(let code, let reason): .close(code, text(reason))
      }
  }
}

/// A frame as a client may send it, right or wrong.
func frame(
  _ opcode: UInt8, _ payload: [UInt8], final: Bool = true, reserved: UInt8 = 0, masked: Bool = true,
  lengthBytes: Int? = nil
) -> [UInt8] {
  var bytes: [UInt8] = [(final ? 0x80 : 0) | reserved | opcode]
  let mask: UInt8 = masked ? 0x80 : 0
  let width = lengthBytes ?? (payload.count <= 125 ? 0 : payload.count <= 65_535 ? 2 : 8)
  switch width {
  case 0: bytes.append(mask | UInt8(payload.count))
  case 2: bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
  default: bytes += [mask | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
  }
  guard masked else { return bytes + payload }
  let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
  return bytes + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
}

func text(_ string: String, final: Bool = true) -> [UInt8] { frame(1, Array(string.utf8), final: final) }

/// Feeds `bytes` in pieces of the given sizes and collects the events.
func decode(
  _ bytes: [UInt8], pieces: [Int]? = nil, limit: Int = 1 << 20, role: WebSocketDecoder.Role = .server,
  acceptsBinary: Bool = true, deflate: MessageDeflate? = nil
) -> (events: [SeenFrame], error: WebSocketError?) {
  var decoder = WebSocketDecoder(
    role: role, messageBytesLimit: limit, acceptsBinary: acceptsBinary, deflate: deflate)
  var input = ByteBuffer()
  var events: [SeenFrame] = []
  var rest = bytes[...]
  do {
    for piece in pieces ?? [bytes.count] {
      input.append(Array(rest.prefix(piece)))
      rest = rest.dropFirst(piece)
      while let event = try decoder.next(&input) { events.append(SeenFrame(event)) }
    }
    return (events, nil)
  } catch {
    return (events, error)
  }
}
