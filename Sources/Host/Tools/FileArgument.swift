import Bytes
import JSON

/// Reads the files of a tool's argument: objects of `name`, `text` or `base64`, and perhaps `media_type`.
///
/// A path is refused: no client's word makes the host read a file of its machine (docs/decisions/0022).
enum FileArgument {
  enum Bounds {
    static let nameBytes = 1...255
    static let mediaTypeCharacters = 0...100
  }

  /// - Parameter hostBytes: `limits.file_bytes`.
  static func read(_ value: JSONView, _ offer: FilesOffer, hostBytes: Int) throws(CallError) -> [ProviderFile] {
    let limit = offer.bytesLimit == 0 ? hostBytes : min(offer.bytesLimit, hostBytes)
    guard offer.countLimit > 1 else { return [try file(value, offer.argument, limit)] }
    guard value.kind == .array else {
      throw .invalid(offer.argument, "must be an array of files, got \(value.kind)", found: "\(value.kind)")
    }
    var files: [ProviderFile] = []
    for element in value.elements() {
      guard files.count < offer.countLimit else {
        throw .invalid(offer.argument, "must have at most \(offer.countLimit) files", found: "more")
      }
      files.append(try file(element, "\(offer.argument)[\(files.count)]", limit))
    }
    return files
  }

  private static func file(_ value: JSONView, _ field: String, _ limit: Int) throws(CallError) -> ProviderFile {
    guard value.kind != .string else {
      throw .invalid(
        field,
        "is a text, perhaps a path, and this host reads no file of its own machine for a client; send {\"name\", "
          + "\"base64\"} or {\"name\", \"text\"}", found: value.string() ?? "")
    }
    guard value.kind == .object else { throw .invalid(field, "must be an object, got \(value.kind)", found: "") }
    var name: String?
    var mediaType = ""
    var content: [UInt8]?
    for (key, member) in value.members() {
      let (word, place) = (key.string() ?? "", "\(field).\(CallError.shortened(key.string() ?? ""))")
      guard ["name", "media_type", "text", "base64"].contains(word) else {
        throw .invalid(place, "is not known here; known: name, media_type, text, base64", found: "\(member.kind)")
      }
      guard member.kind == .string else {
        throw .invalid(place, "must be a string, got \(member.kind)", found: "\(member.kind)")
      }
      switch word {
      case "name": name = try checkedName(member.string() ?? "", place)
      case "media_type": mediaType = try checkedType(member.string() ?? "", place)
      default:
        guard content == nil else { throw .invalid(place, "goes alone: give text or base64, once", found: word) }
        content = try word == "text" ? text(member, place, limit) : base64(member, place, limit)
      }
    }
    guard let name else { throw .invalid("\(field).name", "is required", found: "") }
    guard let content else { throw .invalid("\(field).base64", "is required (or text)", found: "") }
    return ProviderFile(name: name, mediaType: mediaType, content: content)
  }

  private static func text(_ value: JSONView, _ place: String, _ limit: Int) throws(CallError) -> [UInt8] {
    let bytes = Array((value.string() ?? "").utf8)
    guard bytes.count <= limit else { throw tooLarge(bytes.count, place, limit) }
    return bytes
  }

  private static func base64(_ value: JSONView, _ place: String, _ limit: Int) throws(CallError) -> [UInt8] {
    // Without escapes it is decoded where it stands.
    if let plain = value.plainString { return try decode(plain, place, limit) }
    var text = value.string() ?? ""
    let result: Result<[UInt8], CallError> = text.withUTF8 { bytes in
      Result { () throws(CallError) in try decode(UnsafeRawBufferPointer(bytes), place, limit) }
    }
    return try result.get()
  }

  private static func decode(_ text: UnsafeRawBufferPointer, _ place: String, _ limit: Int) throws(CallError) -> [UInt8]
  {
    // Before it is decoded: the text says how long its bytes are, two more at most.
    let estimate = text.count / 4 * 3
    guard estimate <= limit + 2 else { throw tooLarge(estimate, place, limit) }
    guard let bytes = Base64.decode(text) else {
      throw .invalid(place, "must be base64 with its padding (RFC 4648 §4)", found: "\(text.count) characters")
    }
    guard bytes.count <= limit else { throw tooLarge(bytes.count, place, limit) }
    return bytes
  }

  private static func tooLarge(_ bytes: Int, _ place: String, _ limit: Int) -> CallError {
    .invalid(place, "must have at most \(limit) bytes, got \(bytes)", found: "\(bytes)")
  }

  /// It goes into headers of the upstream's request: no folder, nothing that ends a line.
  private static func checkedName(_ name: String, _ place: String) throws(CallError) -> String {
    guard Bounds.nameBytes.contains(name.utf8.count) else {
      throw .invalid(place, "must have 1 to 255 bytes, got \(name.utf8.count)", found: name)
    }
    guard name != ".", name != "..", !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x2F }) else {
      throw .invalid(place, "must be a plain file name, without a folder or a control character", found: name)
    }
    return name
  }

  private static func checkedType(_ type: String, _ place: String) throws(CallError) -> String {
    guard Bounds.mediaTypeCharacters.contains(type.utf8.count), type.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
    else { throw .invalid(place, "must be a media type of at most 100 visible characters", found: type) }
    return type
  }
}
