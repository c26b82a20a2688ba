/// A rule of the provider ABI: a numbered MUST of provider_abi.h, or one of the conventions at its top.
///
/// The raw value is what diagnostics and tests quote: `PRV-R005`.
public enum Rule: String, CaseIterable, Sendable {
  case onlyEntryExported = "PRV-R001"
  case pureEntry = "PRV-R002"
  case newerMinorAnswers = "PRV-R003"
  case quietCreate = "PRV-R004"
  case oneDone = "PRV-R005"
  case nothingAfterDone = "PRV-R006"
  case wholeUTF8 = "PRV-R007"
  case trueFinish = "PRV-R008"
  case noReentrance = "PRV-R009"
  case doneAfterCancel = "PRV-R010"
  case contextUntilClose = "PRV-R011"
  case leavesProcessAlone = "PRV-R012"
  case noUnwinding = "PRV-R013"
  case silentAfterDestroy = "PRV-R014"
  case serialEvents = "PRV-R015"
  case structHead = "PRV-C1"
  case arrayStride = "PRV-C2"
  case scalars = "PRV-C3"
  case text = "PRV-C4"
  case borrowedMemory = "PRV-C5"
  case handles = "PRV-C6"
  case threadsAndBlocking = "PRV-C7"

  /// What the rule asks for, in a sentence.
  public var summary: String {
    switch self {
    case .onlyEntryExported: "only prv_plugin_entry_v1 is exported"
    case .pureEntry: "the entry is pure, and gives the same descriptor each time"
    case .newerMinorAnswers: "a plugin of a newer minor answers PRV_OK; only what it cannot serve is INCOMPATIBLE"
    case .quietCreate: "`create` does no network I/O and takes at most a second"
    case .oneDone: "an accepted call is ended by exactly one `done`, a refused one by none"
    case .nothingAfterDone: "nothing is emitted after `done`"
    case .wholeUTF8: "each text of an event is valid UTF-8 by itself"
    case .trueFinish: "PRV_EVENT_FINISH is emitted only when the upstream's end was really seen"
    case .noReentrance: "the host never calls the plugin from inside a plugin-to-host function"
    case .doneAfterCancel: "after call_cancel the plugin calls `done` within the grace"
    case .contextUntilClose: "the call's context stays valid until call_close"
    case .leavesProcessAlone: "no fork, exit, signal handler, locale, directory, environment, standard stream"
    case .noUnwinding: "no exception, panic, longjmp or language error crosses the boundary"
    case .silentAfterDestroy: "after `destroy` returned, the plugin calls no host function"
    case .serialEvents: "events of one call come serially"
    case .structHead: "a struct begins with its size, and only what the size covers is used"
    case .arrayStride: "arrays of structs are stepped by their stride"
    case .scalars: "deadlines are CLOCK_MONOTONIC nanoseconds, durations nanoseconds"
    case .text: "a text is UTF-8 of the given length, and its pointer is not null unless the length is 0"
    case .borrowedMemory: "memory is borrowed until the call that it came with returns"
    case .handles: "a handle is used only while what it names exists"
    case .threadsAndBlocking: "a function keeps to its thread and time: [blocking: no] returns within a millisecond"
    }
  }

  /// What the plugin's author can do about a breach.
  public var remedy: String {
    switch self {
    case .onlyEntryExported: "link with a version script, or compile with -fvisibility=hidden"
    case .pureEntry: "return one static table from the entry, and begin all else in `create`"
    case .newerMinorAnswers: "compare min_abi_minor with PRV_ABI_MINOR, and nothing else"
    case .quietCreate: "move what is slow or needs the network into a call, or after `start`"
    case .oneDone: "keep in the call's context whether `done` was called, and call it in one place"
    case .nothingAfterDone: "emit everything first; after `done` touch the call no more"
    case .wholeUTF8: "hold the bytes of a split character back until its rest is there"
    case .trueFinish: "emit FINISH at the upstream's end marker, and fail with PRV_E_NETWORK when it never comes"
    case .noReentrance: "this is the host's fault: report it"
    case .doneAfterCancel: "call `done` with PRV_CANCELLED from call_cancel, or from on_complete, which follows"
    case .contextUntilClose: "free the context in call_close only"
    case .leavesProcessAlone: "log through prv.log/1, and take time and configuration from the host"
    case .noUnwinding: "catch everything inside the function, and answer PRV_E_INTERNAL"
    case .silentAfterDestroy: "join the plugin's threads and drop its handles in `destroy`"
    case .serialEvents: "emit from one thread at a time for each call, and stop at PRV_PAUSE"
    case .structHead: "set size to sizeof the struct"
    case .arrayStride: "set the stride to sizeof the element"
    case .scalars: "take time from prv.time/1"
    case .text: "give the length in bytes, and a pointer whenever it is not 0"
    case .borrowedMemory: "copy what is needed later"
    case .handles: "forget a handle when its call is closed, its exchange complete or its timer fired"
    case .threadsAndBlocking: "return at once, and go on when the host calls back"
    }
  }
}

extension Rule: CustomStringConvertible {
  public var description: String { rawValue }
}
