import Bytes
import JSON

/// What a provider says went wrong, read from its JSON in any of the shapes seen on the wire.
struct UpstreamError {
  /// `error.code`: text, or a number written as one.
  var code: String?
  /// `error.type`
  var type: String?
  var message: String?
  /// The HTTP status that a number in `error.code` names.
  var statusInCode: Int?

  /// nil: the JSON tells of no error.
  init?(_ json: JSONView) {
    guard json.kind == .object else { return nil }
    let error = json["error"]
    if let error, error.kind == .string {
      message = error.string()
      return
    }
    let facts = error?.kind == .object ? error ?? json : json
    message = Self.text(facts["message"]) ?? Self.text(facts["msg"]) ?? Self.detail(facts["detail"])
    type = Self.text(facts["type"])
    code = Self.text(facts["code"])
    statusInCode = facts["code"].flatMap { $0.int() }.flatMap { (400...599).contains($0) ? Int($0) : nil }
    if message == nil, type == nil, code == nil { return nil }
  }

  private static func text(_ view: JSONView?) -> String? {
    guard let view else { return nil }
    switch view.kind {
    case .string: return view.string().flatMap { $0.isEmpty ? nil : $0 }
    case .number: return view.text
    default: return nil
    }
  }

  /// `detail`: a text, or a list of objects with `msg`, as FastAPI servers write it.
  private static func detail(_ view: JSONView?) -> String? {
    text(view) ?? text(view?[0]?["msg"])
  }

  /// The provider's own code: the more telling of code and type.
  func providerCode(status: Int?) -> String? {
    if let code, statusInCode == nil || Int(code) != status { return code }
    return type ?? code
  }
}
