/// How far one call is, as both sides must see it.
///
/// opening → open → done → closed; a call that call_open did not accept is refused, and then closed without call_close.
package enum CallStage: UInt8, CaseIterable, Sendable {
  /// Inside call_open.
  case opening
  case open
  /// `done` was accepted.
  case done
  /// call_open answered something else than PRV_OK.
  case refused
  /// call_close was called; the handle is stale.
  case closed
}

/// The legal order of a call: which function may be called in which stage, and the rule that forbids the others.
package enum CallContract {
  package enum Verdict: Equatable, Sendable {
    case legal
    /// To be answered with PRV_E_STALE, and no breach: the two sides may have passed each other.
    case stale
    case breach(Rule)
  }

  /// For a function that the plugin calls with the call's handle. `function` is one of `emit`, `done`, `httpRequest`,
  /// `timerStart` and `postCall`; the others are legal in every stage.
  package static func verdict(on function: ABIFunction, in stage: CallStage) -> Verdict {
    switch (function, stage) {
    case (.emit, .opening), (.emit, .open): .legal
    case (.emit, .done): .breach(.nothingAfterDone)
    case (.emit, .refused): .breach(.oneDone)
    case (.emit, .closed): .breach(.handles)
    case (.done, .opening), (.done, .open): .legal
    case (.done, .done), (.done, .refused): .breach(.oneDone)
    case (.done, .closed): .breach(.handles)
    case (.httpRequest, .opening), (.httpRequest, .open), (.timerStart, .opening), (.timerStart, .open): .legal
    case (.postCall, .opening), (.postCall, .open), (.postCall, .done): .legal
    // A function that was posted before `done` runs after it, and another thread may not know of call_close yet.
    case (.httpRequest, _), (.timerStart, _), (.postCall, _): .stale
    default: .legal
    }
  }

  /// Whether the host may call `function` of the plugin for a call in `stage`: its own side of the order.
  package static func isLegal(_ function: ABIFunction, in stage: CallStage) -> Bool {
    switch (function, stage) {
    case (.callOpen, .opening): true
    case (.callCancel, .open), (.callResume, .open): true
    case (.callClose, .done): true
    case (.onHeaders, .open), (.onBody, .open), (.onSSE, .open), (.timerFunction, .open): true
    case (.onComplete, .open), (.onComplete, .done), (.onComplete, .refused): true
    case (.postedFunction, .open), (.postedFunction, .done): true
    default: false
    }
  }

  /// What is expected and what was found when `function` broke `rule` in `stage`, for a message.
  package static func words(on function: ABIFunction, in stage: CallStage) -> (expected: String, found: String) {
    switch (function, stage) {
    case (.emit, .done): ("no event after done", "one")
    case (.emit, .refused): ("no event of a call that call_open refused", "one")
    case (.done, .done): ("one done", "a second one")
    case (.done, .refused): ("no done for a call that call_open refused", "one")
    default: ("the handle of a call that is not closed", "a stale one")
    }
  }
}
