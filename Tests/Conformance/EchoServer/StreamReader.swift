import Bytes
import Wire

/// The decoder alone, line by line, for streams that are cut at chosen places: `websocket-echo decode`.
///
/// A line of standard input is `LIMIT TERMS PIECE...`: the limit of a message in bytes, `-` or `deflate` (contexts kept, whole
/// windows), and the pieces in hexadecimal. The answer is a line of what they gave, `text:HEX binary:HEX ping:HEX
/// pong:HEX close:CODE:HEX`, and `error:CODE` where it ended.
enum StreamReader {
  static func run() throws {
    let contexts = DeflateContexts(zlib: try Zlib.load())
    while let line = readLine() {
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      let deflate = words[1] == "-" ? nil : agreed(contexts)
      print(answer(words.dropFirst(2), limit: Int(words[0])!, deflate).joined(separator: " "))
    }
  }

  private static func agreed(_ contexts: DeflateContexts) -> MessageDeflate {
    MessageDeflate(
      DeflateTerms(keepsContext: true, windowBits: 15), limits: DeflateLimits(thresholdBytes: 0, ratio: 1_032),
      contexts: contexts)
  }

  private static func answer(_ pieces: ArraySlice<Substring>, limit: Int, _ deflate: MessageDeflate?) -> [String] {
    var decoder = WebSocketDecoder(role: .server, messageBytesLimit: limit, deflate: deflate)
    var input = ByteBuffer()
    var words: [String] = []
    do throws(WebSocketError) {
      for piece in pieces {
        input.append(bytes(piece))
        while let event = try decoder.next(&input) {
          words.append(word(event))
          if case .close = event { return words }
        }
      }
    } catch {
      words.append("error:\(error.closeCode)")
    }
    return words
  }

  private static func word(_ event: WebSocketEvent) -> String {
    switch event {
    case .text(let payload): "text:" + hexadecimal(payload)
    case .binary(let payload): "binary:" + hexadecimal(payload)
    case .ping(let payload): "ping:" + hexadecimal(payload)
    case .pong(let payload): "pong:" + hexadecimal(payload)
    case .close(let code, let reason): "close:\(code ?? 1005):" + hexadecimal(reason)
    }
  }

  private static func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func bytes(_ text: Substring) -> [UInt8] {
    func value(_ digit: UInt8) -> UInt8 { digit <= 0x39 ? digit - 0x30 : digit - 0x57 }
    let digits = Array(text.utf8)
    return stride(from: 0, to: digits.count - 1, by: 2).map { value(digits[$0]) << 4 | value(digits[$0 + 1]) }
  }
}
