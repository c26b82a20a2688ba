/// Lower-case hexadecimal.
public enum Hex {
  public static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
    let digits: StaticString = "0123456789abcdef"
    return String(
      decoding: bytes.flatMap { [digits.utf8Start[Int($0 >> 4)], digits.utf8Start[Int($0 & 15)]] }, as: UTF8.self)
  }
}
