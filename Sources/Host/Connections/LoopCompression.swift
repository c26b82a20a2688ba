internal import SystemLibraries
import Wire

/// What the links of one loop share of permessage-deflate: zlib's states, and how many links may keep their own.
///
/// Links that are open keep to what was agreed on with them when another configuration comes. Thread: the loop's.
final class LoopCompression {
  private let settings: Configuration.WebSocket
  private let contexts: DeflateContexts
  private let keepersLimit: Int

  /// nil: it is switched off, or there is no zlib, which the log then says if `logs`.
  init?(
    _ settings: Configuration.WebSocket, _ services: HostServices, logs: Bool,
    load: () throws(SharedLibrary.LoadError) -> Zlib = Zlib.load
  ) {
    guard settings.compression else { return nil }
    self.settings = settings
    // Each loop has its share; the first has what does not divide.
    let share = settings.takeoverConnections / max(1, services.loopCount)
    keepersLimit = logs ? settings.takeoverConnections - share * (max(1, services.loopCount) - 1) : share
    do {
      contexts = DeflateContexts(zlib: try load())
    } catch {
      if logs { services.log.warning("WebSocket messages are not compressed", ("reason", "\(error)")) }
      return nil
    }
  }

  /// Answers a client's offers.
  func answer(_ offers: [String]) -> DeflateAnswer {
    DeflateAnswer(
      to: offers,
      granting: DeflateTerms(
        keepsContext: contexts.keepers < keepersLimit, windowBits: settings.compressionWindowBits))
  }

  /// The compression of a link with which `terms` were agreed on.
  func deflate(_ terms: DeflateTerms) -> MessageDeflate {
    let limits = DeflateLimits(thresholdBytes: settings.compressionThresholdBytes, ratio: settings.compressionRatio)
    return MessageDeflate(terms, limits: limits, contexts: contexts)
  }
}
