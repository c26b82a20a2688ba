import Testing

@testable import Host

@Suite struct ConfigurationTimeoutTests {
  private func errors(_ settings: String) -> [String] {
    ConfigurationReading.errors("{ timeouts: { \(settings) } }").map { "\($0.path): \($0.message)" }
  }

  @Test(
    arguments: [
      ("tool_seconds: 0.1", [100, 150, 200, 250]), ("tool_seconds: 0.101", [101, 152, 202, 253]),
      ("tool_seconds: 10", [10_000, 15_000, 20_000, 25_000]),
      ("tool_seconds: 3600", [3_600_000, 5_400_000, 7_200_000, 9_000_000]),
      ("tool_seconds: 10, daemon_seconds: 19.999", [10_000, 19_999, 20_000, 25_000]),
      ("client_seconds: 1000", [180_000, 270_000, 360_000, 1_000_000]),
    ] as [(String, [UInt64])])
  func `absent levels follow from the tool's`(settings: String, expected: [UInt64]) throws {
    let timeouts = try ConfigurationReading.parse("{ timeouts: { \(settings) } }").timeouts
    #expect(
      [
        timeouts.toolMilliseconds, timeouts.daemonMilliseconds, timeouts.shimMilliseconds,
        timeouts.clientMilliseconds,
      ] == expected)
  }

  @Test(arguments: [("daemon", 1.5), ("shim", 2.0), ("client", 2.5)])
  func `each ratio holds exactly, to the millisecond`(level: String, ratio: Double) {
    // 0.202 × 1.5, 2.0 and 2.5 are whole milliseconds; the levels beside it are out of the way.
    let lowest = UInt64((202 * ratio).rounded())
    let rest = [("daemon", 303), ("shim", 404 + 0), ("client", 5000)].filter { $0.0 != level }
      .map { "\($0.0)_seconds: \(Double($0.1) / 1000)" }.joined(separator: ", ")
    for (value, isAccepted) in [(lowest - 1, false), (lowest, true), (lowest + 1, true)] {
      let settings = "tool_seconds: 0.202, \(rest), \(level)_seconds: \(ConfigurationReader.seconds(value))"
      #expect(errors(settings).isEmpty == isAccepted, "\(settings)")
    }
  }

  @Test(arguments: [
    (
      "tool_seconds: 180, daemon_seconds: 269.9",
      "timeouts.daemon_seconds: found daemon_seconds 269.9 with tool_seconds 180, expected daemon_seconds to be at "
        + "least 1.5 × tool_seconds, 270; raise daemon_seconds or lower tool_seconds"
    ),
    (
      "shim_seconds: 359",
      "timeouts.shim_seconds: found shim_seconds 359 with tool_seconds 180, expected shim_seconds to be at least "
        + "2.0 × tool_seconds, 360; raise shim_seconds or lower tool_seconds"
    ),
    (
      "client_seconds: 449.999",
      "timeouts.client_seconds: found client_seconds 449.999 with tool_seconds 180, expected client_seconds to be at "
        + "least 2.5 × tool_seconds, 450; raise client_seconds or lower tool_seconds"
    ),
    (
      "daemon_seconds: 360",
      "timeouts.daemon_seconds: found shim_seconds 360 (derived) with daemon_seconds 360, expected shim_seconds to be "
        + "greater than daemon_seconds; raise shim_seconds or lower daemon_seconds"
    ),
    (
      "shim_seconds: 500, client_seconds: 500",
      "timeouts.client_seconds: found client_seconds 500 with shim_seconds 500, expected client_seconds to be greater "
        + "than shim_seconds; raise client_seconds or lower shim_seconds"
    ),
  ])
  func `a broken hierarchy names both values`(settings: String, message: String) {
    #expect(errors(settings) == [message])
  }

  @Test(arguments: [(7.999, true), (8.0, false), (8.001, false)])
  func `waiting in a queue is shorter than a heartbeat`(seconds: Double, isAccepted: Bool) {
    #expect(ConfigurationReading.errors("{ limits: { queue_seconds: \(seconds) } }").isEmpty == isAccepted)
  }

  @Test func `an absent queue wait is three quarters of the heartbeat`() throws {
    let configuration = try ConfigurationReading.parse("{ timeouts: { heartbeat_seconds: 0.1 } }")
    #expect(configuration.limits.queueMilliseconds == 75)
  }

  @Test func `the table shows every clock`() {
    #expect(
      Configuration().timeoutTable() == """
        timeout         seconds   × tool   at least
        tool                180     1.00
        daemon              270     1.50        1.5
        shim                360     2.00        2.0
        client              450     2.50        2.5
        hello                15
        connect              10
        first_token          60
        progress             60
        heartbeat             8
        queue                 6
        message              30
        client_stall         30
        drain                30
        """)
  }
}
