import Decisions
import Glibc
import Host
import LoadTest

/// One line on standard error that says how a run goes: rewritten in place on a terminal, else a new one now and then.
final class ProgressLine {
  private let isTerminal = isatty(2) == 1
  private var began = Instant.never
  private var seconds = 0.0
  private(set) var next = Instant.never

  func begin(now: Instant, seconds: Double) {
    began = now
    self.seconds = seconds
    next = now.advanced(seconds: intervalSeconds)
  }

  /// A terminal is kept fresh; a file gets sixty lines in a run, but not more than one a second or fewer than one a
  /// minute.
  private var intervalSeconds: Double { isTerminal ? 1 : min(max(seconds / 60, 1), 60) }

  func show(tally: Tally, p95Microseconds: UInt64?, figures: HostFigures?, now: Instant) {
    next = now.advanced(seconds: intervalSeconds)
    let p95 = p95Microseconds.map { "\((Double($0) / 1000).text(decimals: 2)) ms" } ?? "-"
    let resident = figures?.residentBytes.map { "\((Double($0) / 1_048_576).text(decimals: 1)) MiB" } ?? "-"
    let elapsed = Double(now.nanoseconds(since: began)) / 1e9
    let line =
      "\(elapsed.text(decimals: 0)) of \(seconds.text(decimals: 0)) s  \(tally.calls) calls, "
      + "\(tally.successPercent?.text(decimals: 2) ?? "-") % good, \(tally.errors) errors, p95 \(p95); host: "
      + "\(figures?.inFlight ?? 0) in flight, \(resident)"
    Terminal.write(isTerminal ? "\r\(line)\u{1B}[K" : line + "\n", to: 2)
  }

  /// Leaves the line to itself.
  func finish() {
    if isTerminal { Terminal.write("\r\u{1B}[K", to: 2) }
  }
}
