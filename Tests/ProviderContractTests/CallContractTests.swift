import Testing

@testable import ProviderContract

@Suite struct CallContractTests {
  private let handled: [ABIFunction] = [.emit, .done, .httpRequest, .timerStart, .postCall]

  @Test func `everything is legal while a call is opening or open`() {
    for function in handled {
      #expect(CallContract.verdict(on: function, in: .opening) == .legal)
      #expect(CallContract.verdict(on: function, in: .open) == .legal)
    }
  }

  @Test(arguments: [
    (ABIFunction.emit, CallStage.done, Rule.nothingAfterDone), (.emit, .refused, .oneDone), (.emit, .closed, .handles),
    (.done, .done, .oneDone), (.done, .refused, .oneDone), (.done, .closed, .handles),
  ])
  func `what comes too late breaks the rule that forbids it`(function: ABIFunction, stage: CallStage, rule: Rule) {
    #expect(CallContract.verdict(on: function, in: stage) == .breach(rule))
    let words = CallContract.words(on: function, in: stage)
    #expect(words.expected != words.found)
  }

  @Test func `a request, timer or posted function that passed the end of its call is stale, and no breach`() {
    for function in [ABIFunction.httpRequest, .timerStart] {
      for stage in [CallStage.done, .refused, .closed] {
        #expect(CallContract.verdict(on: function, in: stage) == .stale)
      }
    }
    #expect(CallContract.verdict(on: .postCall, in: .done) == .legal)
    #expect(CallContract.verdict(on: .postCall, in: .closed) == .stale)
  }

  @Test func `the host opens once, closes after done, and cancels in between`() {
    for stage in CallStage.allCases {
      #expect(CallContract.isLegal(.callOpen, in: stage) == (stage == .opening))
      #expect(CallContract.isLegal(.callCancel, in: stage) == (stage == .open))
      #expect(CallContract.isLegal(.callResume, in: stage) == (stage == .open))
      #expect(CallContract.isLegal(.callClose, in: stage) == (stage == .done))
      #expect(CallContract.isLegal(.onBody, in: stage) == (stage == .open))
      #expect(CallContract.isLegal(.onComplete, in: stage) == (stage != .opening && stage != .closed))
    }
  }
}
