import Bytes
import JSON

/// Takes a request with a small JSON body, and hands it on when it is whole.
///
/// Thread: the loop's.
final class FormHandler: HTTPRequestHandler {
  /// An object, empty when there was no body; nil: it was no JSON object.
  typealias Respond = (_ form: JSONValue?, _ answer: HTTPAnswer) -> Void

  static let bodyBytesLimit = 4_096

  private let respond: Respond
  private var answer: HTTPAnswer?
  private var body = ByteBuffer()

  /// - Parameter respond: answers, now or later; what is said after the client has left reaches nobody.
  init(_ respond: @escaping Respond) { self.respond = respond }

  static func decision(_ respond: @escaping Respond) -> HTTPDecision {
    .handle(FormHandler(respond), bodyBytesLimit: bodyBytesLimit)
  }

  func began(_ answer: HTTPAnswer) { self.answer = answer }
  func received(_ piece: UnsafeRawBufferPointer) { body.append(piece) }

  func bodyEnded() {
    guard let answer else { return }
    if body.isEmpty { return respond(.object([]), answer) }
    let form = try? JSONValue(parsing: body.readable, maximumDepth: 4)
    body.removeAll(keeping: 0)
    respond(form?.members == nil ? nil : form, answer)
  }

  func backlogCleared() {}
  var heldBytes: Int { body.allocatedBytes }

  func drain(isOver: Bool) {
    if isOver, let answer { answer.send(.error(503, "the host is shutting down")) }
  }

  func clientLeft() { answer = nil }
}
