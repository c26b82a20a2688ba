import Bytes
import Wire

/// Who answers the requests of a listener: the faces, behind whatever is asked of every request.
///
/// Thread: the loop's.
protocol HTTPResponder: AnyObject {
  /// What becomes of a request, decided by its head alone; nothing of its body was read.
  func decide(_ head: HTTPRequestHead) -> HTTPDecision
}

/// What becomes of a request.
enum HTTPDecision {
  /// It is answered at once; its body, if any, is of no interest.
  case reply(HTTPReply)
  /// The handler gets its body, up to so many bytes, and answers.
  case handle(any HTTPRequestHandler, bodyBytesLimit: Int)
  /// The connection leaves HTTP: the closure sends the 101 and says who goes on.
  case upgrade((Connection) -> any ConnectionHandler)
}

/// Answers one request: gets its body and speaks through an `HTTPAnswer`.
///
/// It may answer at any time, also before the body has ended, whose rest is then not handed over. The front holds it
/// until the answer is complete; it must not answer after `clientLeft`. Thread: the loop's.
protocol HTTPRequestHandler: AnyObject {
  /// The request is taken; first of all functions.
  func began(_ answer: HTTPAnswer)
  /// A piece of the body; borrowed.
  func received(_ piece: UnsafeRawBufferPointer)
  /// The body is whole; it is called for a request without one too.
  func bodyEnded()
  /// The client has taken what was queued for it: whatever `HTTPAnswer.write` paused may go on.
  func backlogCleared()
  /// Bytes of memory that it keeps of the body or for the answer.
  var heldBytes: Int { get }
  /// The host stops; `isOver`: end now.
  func drain(isOver: Bool)
  /// The connection is gone, or the request turned out to be broken: nobody waits for an answer any more.
  func clientLeft()
}
