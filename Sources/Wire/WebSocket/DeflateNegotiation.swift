/// What a server grants of permessage-deflate, and what was agreed on with one client (RFC 7692 §7.1).
public struct DeflateTerms: Equatable, Sendable {
  /// Whether the window of the server's messages lives from one to the next.
  public var serverKeepsContext: Bool
  /// The same for the client's messages.
  public var clientKeepsContext: Bool
  /// The window of the server's messages, as a power of two: 9 to 15.
  public var serverWindowBits: Int
  /// The window of the client's messages: 9 to 15.
  public var clientWindowBits: Int

  public init(keepsContext: Bool, windowBits: Int) {
    precondition(DeflateTerms.windowBits.contains(windowBits), "a window of \(windowBits) bits; zlib has 9 to 15")
    serverKeepsContext = keepsContext
    clientKeepsContext = keepsContext
    serverWindowBits = windowBits
    clientWindowBits = windowBits
  }

  /// Windows that zlib can write without a header; the RFC has 8 as well.
  public static let windowBits = 9...15
}

/// The answer to a client's Sec-WebSocket-Extensions.
public enum DeflateAnswer: Equatable, Sendable {
  /// `header` is the value of the response's Sec-WebSocket-Extensions.
  case agreed(DeflateTerms, header: String)
  /// No offer that can be taken: the connection goes on without.
  case declined
  /// Not a list of extensions (RFC 6455 §9.1): the request is refused.
  case malformed

  /// Takes the first offer that can be kept to the letter. An offer with a parameter that is unknown, repeated, or has a
  /// wrong value is passed over (RFC 7692 §5).
  ///
  /// - Parameters:
  ///   - values: the header's fields, in order.
  ///   - terms: the most that is granted.
  public init(to values: [String], granting terms: DeflateTerms) {
    guard let offers = WebSocketExtension.parse(values) else {
      self = .malformed
      return
    }
    for offer in offers where offer.name == "permessage-deflate" {
      guard let asked = DeflateOffer(offer.parameters), let (agreed, header) = asked.answer(terms) else { continue }
      self = .agreed(agreed, header: header)
      return
    }
    self = .declined
  }
}

/// The parameters of one offer (RFC 7692 §7.1).
private struct DeflateOffer {
  var serverForgets = false
  var clientForgets = false
  var serverWindowBits: Int?
  /// Whether the client can be told a window.
  var takesClientWindow = false
  /// What it foretells of its window.
  var clientWindowBits: Int?

  /// nil: a parameter is unknown, repeated or wrong.
  init?(_ parameters: [WebSocketExtension.Parameter]) {
    for parameter in parameters {
      switch (parameter.name, parameter.value) {
      case ("server_no_context_takeover", nil) where !serverForgets: serverForgets = true
      case ("client_no_context_takeover", nil) where !clientForgets: clientForgets = true
      case ("server_max_window_bits", let value?) where serverWindowBits == nil:
        guard let bits = Self.bits(value) else { return nil }
        serverWindowBits = bits
      case ("client_max_window_bits", let value) where !takesClientWindow:
        takesClientWindow = true
        guard let value else { continue }
        guard let bits = Self.bits(value) else { return nil }
        clientWindowBits = bits
      default: return nil
      }
    }
  }

  /// 8 to 15 in decimal, without a leading zero.
  private static func bits(_ text: String) -> Int? {
    switch text {
    case "8", "9": Int(text)
    case "10", "11", "12", "13", "14", "15": Int(text)
    default: nil
    }
  }

  /// nil: the offer asks for what zlib cannot do.
  func answer(_ terms: DeflateTerms) -> (DeflateTerms, header: String)? {
    var agreed = terms
    var header = "permessage-deflate"
    if serverForgets || !terms.serverKeepsContext {
      agreed.serverKeepsContext = false
      header += "; server_no_context_takeover"
    }
    // The client obeys this even if it did not speak of it (RFC 7692 §7.1.1.2).
    if clientForgets || !terms.clientKeepsContext {
      agreed.clientKeepsContext = false
      header += "; client_no_context_takeover"
    }
    if let asked = serverWindowBits {
      agreed.serverWindowBits = min(asked, terms.serverWindowBits)
      guard DeflateTerms.windowBits.contains(agreed.serverWindowBits) else { return nil }
      header += "; server_max_window_bits=\(agreed.serverWindowBits)"
    }
    // A client that cannot be told, or wants less than zlib has, may use the whole window.
    agreed.clientWindowBits = DeflateTerms.windowBits.upperBound
    let clientBits = min(clientWindowBits ?? terms.clientWindowBits, terms.clientWindowBits)
    if takesClientWindow, clientBits < agreed.clientWindowBits, DeflateTerms.windowBits.contains(clientBits) {
      agreed.clientWindowBits = clientBits
      header += "; client_max_window_bits=\(clientBits)"
    }
    return (agreed, header)
  }
}

/// One element of Sec-WebSocket-Extensions (RFC 6455 §9.1).
struct WebSocketExtension: Equatable {
  struct Parameter: Equatable {
    var name: String
    /// nil: it has none.
    var value: String?
  }

  var name: String
  var parameters: [Parameter] = []

  /// The elements of all fields in order; nil: one is malformed. Each byte is looked at once.
  static func parse(_ values: [String]) -> [WebSocketExtension]? {
    var list: [WebSocketExtension] = []
    for value in values {
      var reader = ExtensionReader(value)
      while true {
        reader.skipSpace()
        // Empty elements of a list are passed over (RFC 9110 §5.6.1.2).
        if reader.take(",") { continue }
        if reader.isAtEnd { break }
        guard let element = reader.element() else { return nil }
        list.append(element)
        guard reader.take(",") || reader.isAtEnd else { return nil }
      }
    }
    return list
  }
}

/// Reads a list of extensions from the front.
private struct ExtensionReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  var isAtEnd: Bool { position == bytes.count }

  mutating func skipSpace() {
    while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  /// A name and its parameters, with the space behind them.
  mutating func element() -> WebSocketExtension? {
    guard let name = token() else { return nil }
    var element = WebSocketExtension(name: name)
    skipSpace()
    while take(";") {
      skipSpace()
      guard let name = token() else { return nil }
      skipSpace()
      var parameter = WebSocketExtension.Parameter(name: name)
      if take("=") {
        skipSpace()
        guard let value = take("\"") ? quoted() : token() else { return nil }
        parameter.value = value
        skipSpace()
      }
      element.parameters.append(parameter)
    }
    return element
  }

  private mutating func token() -> String? {
    let start = position
    while position < bytes.count, HTTPText.isToken(bytes[position]) { position += 1 }
    guard position > start else { return nil }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// What stands between quotes must be a token as well (RFC 6455 §9.1).
  private mutating func quoted() -> String? {
    var value: [UInt8] = []
    while position < bytes.count {
      var byte = bytes[position]
      position += 1
      if byte == UInt8(ascii: "\"") { return value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
      if byte == UInt8(ascii: "\\") {
        guard position < bytes.count else { return nil }
        byte = bytes[position]
        position += 1
      }
      guard HTTPText.isToken(byte) else { return nil }
      value.append(byte)
    }
    return nil
  }
}
