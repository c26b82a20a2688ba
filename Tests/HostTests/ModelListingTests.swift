import Testing

@testable import Host

/// One listing of the scripted provider, and what came of it.
private final class Listing {
  let bench: HostBench
  private(set) var outcomes: [String] = []
  private(set) var models: [ModelEntry] = []

  init(_ provider: ScriptedProvider = ScriptedProvider()) throws { bench = try HostBench(provider: provider) }

  var provider: ScriptedProvider { bench.provider }

  func start() {
    let listing = ModelListing(of: provider, index: 3, on: bench.eventLoop, connectNanoseconds: 5) { [self] outcome in
      switch outcome {
      case .listed(let models):
        self.models = models
        outcomes.append("listed \(models.count)")
      case .unsupported: outcomes.append("unsupported")
      case .failed(let reason): outcomes.append("failed: \(reason)")
      }
    }
    bench.run { listing.start() }
  }
}

struct ModelListingTests {
  @Test func `a provider's models are listed with its number and name`() throws {
    let listing = try Listing()
    listing.start()
    #expect(listing.provider.words == ["open 1 "])
    #expect(listing.provider.kinds == [.models])
    listing.provider.emit(1, .model, #"{"id":"a","context_tokens":5}"#)
    listing.provider.emit(1, .text, "not a model")
    listing.provider.emit(1, .model, #"{"id":"b"}"#)
    #expect(listing.outcomes.isEmpty)
    listing.provider.done(1)
    #expect(listing.outcomes == ["listed 2"])
    #expect(listing.models.first == ModelEntry(id: "a", provider: 3, providerID: "fake", contextTokens: 5))
  }

  @Test func `a model without a usable id is left out, and a list of nothing else has failed`() throws {
    let some = try Listing()
    some.start()
    some.provider.emit(1, .model, "{")
    some.provider.emit(1, .model, #"{"id":"a"}"#)
    some.provider.done(1)
    #expect(some.models.map(\.id) == ["a"])

    let none = try Listing()
    none.start()
    none.provider.emit(1, .model, #"{"name":"a"}"#)
    none.provider.emit(1, .model, "7")
    none.provider.done(1)
    #expect(none.outcomes == ["failed: none of the 2 models it listed has a usable id"])

    let empty = try Listing()
    empty.start()
    empty.provider.done(1)
    #expect(empty.outcomes == ["listed 0"])
  }

  @Test func `a list ends at its limit`() throws {
    let listing = try Listing()
    listing.start()
    for number in 0...ModelListing.modelsLimit { listing.provider.emit(1, .model, #"{"id":"\#(number)"}"#) }
    listing.provider.done(1)
    #expect(listing.models.count == ModelListing.modelsLimit)
    #expect(listing.models.last?.id == "\(ModelListing.modelsLimit - 1)")
  }

  @Test func `unsupported is told from failed, before and after the opening`() throws {
    let unsupported = ProviderFailure(status: ProviderStatus.unsupported, message: "no list")
    let broken = ProviderFailure(status: ProviderStatus.network, message: "reset")
    for (failure, expected) in [(unsupported, "unsupported"), (broken, "failed: reset")] {
      let early = try Listing()
      early.provider.onOpen = { _ throws(ProviderFailure) in throw failure }
      early.start()
      #expect(early.outcomes == [expected])
      let late = try Listing()
      late.start()
      late.provider.done(1, .failed(failure))
      #expect(late.outcomes == [expected])
    }
    let cancelled = try Listing()
    cancelled.start()
    cancelled.provider.done(1, .cancelled)
    #expect(cancelled.outcomes == ["failed: the provider gave the listing up"])
  }

  @Test func `a provider may list and end before its opening returns`() throws {
    let provider = ScriptedProvider()
    provider.onOpen = { [unowned provider] call throws(ProviderFailure) in
      provider.emit(call, .model, #"{"id":"a"}"#)
      provider.done(call)
    }
    let listing = try Listing(provider)
    listing.start()
    #expect(listing.outcomes == ["listed 1"])
    #expect(provider.words == ["open 1 "])
  }

  @Test func `a provider that takes too long is released and heard no more`() throws {
    let bench = try HostBench()
    var outcomes: [String] = []
    let listing = ModelListing(of: bench.provider, index: 0, on: bench.eventLoop, connectNanoseconds: 5) { outcome in
      if case .failed(let reason) = outcome { outcomes.append(reason) }
    }
    bench.run { listing.start() }
    let limit = bench.provider.deadlines[0].nanoseconds(since: bench.loop.now)
    #expect(limit <= ModelListing.milliseconds * 1_000_000)
    bench.run { listing.timerFired(0) }
    #expect(outcomes == ["no list within 10 s"])
    #expect(bench.provider.words == ["open 1 ", "release 1 deadline"])
    bench.run { listing.timerFired(0) }
    bench.run { listing.providerDone(.succeeded) }
    #expect(outcomes.count == 1)
  }
}
