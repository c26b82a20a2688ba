import CLinux
import Glibc

/// Every setting of the host, with its default; `ConfigurationSchema` has the bounds, units and reasons.
///
/// `Configuration()` is the built-in defaults, with nothing read and nothing detected. Durations are milliseconds.
package struct Configuration: Sendable, Equatable {
  /// The file it was read from; nil: there was none.
  package var file: String?
  package var listeners = [Listener(address: "127.0.0.1:8079", serves: [.websocket, .health, .monitor])]
  package var auth = Auth()
  /// Plugin copies, the database, the control socket.
  package var stateDirectory = "state"
  package var files = Files()
  package var plugins = Plugins()
  /// In order of preference, disabled ones left out.
  package var providers: [ProviderSettings] = []
  /// Whether the Echo provider joins the detected ones.
  package var echo = true
  /// nil: the first model of the first active provider.
  package var defaultModel: String?
  package var limits = Limits()
  package var timeouts = Timeouts()
  package var websocket = WebSocket()
  package var retry = Retry()
  package var breaker = Breaker()
  package var fallback: [Fallback] = []
  package var rates = Rates()
  package var results = Results()
  package var sessions = Sessions()
  package var storage = Storage()
  package var alerts = Alerts()
  /// Event loop threads.
  package var loops = Configuration.availableCores
  package var log = Logging()
  package var metrics = Metrics()
  /// What the operator set and this version does not act on yet, a sentence each; logged as warnings.
  package var notYetInForce: [String] = []
  /// What is accepted and better changed, a sentence each; logged as warnings. No secret among them.
  package var warnings: [String] = []

  package init() {}

  /// Every token and key: what the log must never show.
  package var secrets: [Secret] {
    auth.principals.map(\.token) + providers.compactMap(\.apiKey) + (alerts.webhookToken.map { [$0] } ?? [])
  }

  /// Cores that this process may run on, 1 to 256: a host that is pinned to one has no use for two loops.
  package static var availableCores: Int {
    let usable = Int(clinux_usable_cores())
    return min(max(usable > 0 ? usable : sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1), 256)
  }
}

extension Configuration {
  /// What a listener answers.
  package struct Services: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let websocket = Services(rawValue: 1)
    package static let openai = Services(rawValue: 2)
    package static let mcp = Services(rawValue: 4)
    package static let health = Services(rawValue: 8)
    package static let metrics = Services(rawValue: 16)
    package static let monitor = Services(rawValue: 32)

    /// The names in the configuration.
    package static let names: [(name: String, service: Services)] = [
      ("websocket", .websocket), ("openai", .openai), ("mcp", .mcp), ("health", .health), ("metrics", .metrics),
      ("monitor", .monitor),
    ]
  }

  package struct Listener: Sendable, Equatable {
    /// "127.0.0.1:8079", "[::1]:8079" or "unix:/path"; port 0: any free one.
    package var address: String
    package var serves: Services
    /// Of a unix socket's file, as `chmod` has it.
    package var mode = "0600"
    /// nil: it speaks plain HTTP.
    package var tls: TLS?

    package init(address: String, serves: Services = .websocket) {
      self.address = address
      self.serves = serves
    }
  }

  /// The files by which a listener speaks TLS; all PEM.
  package struct TLS: Sendable, Equatable {
    package enum ClientCertificates: String, Sendable, CaseIterable { case off, optional, required }

    /// The host's own certificate, then those between it and its authority.
    package var certificate: String
    package var key: String
    /// Who may have signed the certificates of clients.
    package var clientCA: String?
    package var clientCertificates = ClientCertificates.off

    package init(certificate: String, key: String) {
      self.certificate = certificate
      self.key = key
    }
  }

  /// Who may connect. Without principals everyone may, on loopback and unix listeners only.
  package struct Auth: Sendable, Equatable {
    package enum Role: String, Sendable, CaseIterable { case client, viewer, admin }

    package struct Principal: Sendable, Equatable {
      package var name: String
      /// At least 16 characters.
      package var token: Secret
      package var role: Role
      package var limits = Limits()

      package init(name: String, token: Secret, role: Role = .client) {
        self.name = name
        self.token = token
        self.role = role
      }
    }

    package struct Limits: Sendable, Equatable {
      /// Calls that run or wait at once, in all its sessions; nil: only the host's own limits.
      package var inFlight: Int?
      /// Open at once; nil: only the host's own limit.
      package var sessions: Int?
      package init() {}
    }

    package var principals: [Principal] = []
    /// Values of Origin that are allowed; without Origin a request is no browser's.
    package var origins: [String] = []
    /// Names allowed in Host beyond IP literals and localhost.
    package var hosts: [String] = []

    package init() {}
    package var isOpen: Bool { principals.isEmpty }
  }

  package struct Files: Sendable, Equatable {
    /// Directories below which path arguments may point; empty: paths are refused.
    package var roots: [String] = []
    package init() {}
  }

  package struct Plugins: Sendable, Equatable {
    /// The operator's: those of the file, then those of PATCHBAY_PLUGIN_PATH.
    package var directories: [String] = []
    /// A changed directory takes effect without a restart.
    package var watch = true
    package init() {}

    package static let systemDirectories = ["/usr/local/lib/patchbay/plugins", "/usr/lib/patchbay/plugins"]
    /// Where plugins are looked for, in order.
    package var searchPath: [String] { directories + Self.systemDirectories }
  }

  package struct Limits: Sendable, Equatable {
    /// Calls at once, in all.
    package var inFlight = 24
    package var sessionInFlight = 8
    package var sessions = 1000
    package var connections = 1000
    package var connectionsPerAddress = 10
    /// The largest WebSocket message.
    package var frameBytes = 16_777_216
    package var argumentsBytes = 10_485_760
    package var fileBytes = 104_857_600
    /// What all connections together may hold in memory; never under four messages.
    package var bufferedBytes = 268_435_456
    /// How long a call may wait in a provider's queue; always shorter than the heartbeat.
    package var queueMilliseconds: UInt64 = 6000
    package init() {}

    /// Messages of the largest size for which there is always room: one that comes, in a buffer twice its size that
    /// has just grown, and what was its smaller one.
    package static let messagesBuffered = 4
  }

  /// tool < daemon < shim < client, at least 1.5, 2.0 and 2.5 times the tool's.
  package struct Timeouts: Sendable, Equatable {
    /// The total clock of a call.
    package var toolMilliseconds: UInt64 = 180_000
    package var daemonMilliseconds: UInt64 = 270_000
    package var shimMilliseconds: UInt64 = 360_000
    package var clientMilliseconds: UInt64 = 450_000
    package var helloMilliseconds: UInt64 = 15_000
    /// The head of an HTTP request; its body must then come at a rate.
    package var requestMilliseconds: UInt64 = 10_000
    /// Between two HTTP requests.
    package var keepAliveMilliseconds: UInt64 = 60_000
    package var connectMilliseconds: UInt64 = 10_000
    package var firstTokenMilliseconds: UInt64 = 60_000
    package var progressMilliseconds: UInt64 = 60_000
    package var heartbeatMilliseconds: UInt64 = 8000
    /// For a message that has begun to come (`Pace`).
    package var messageMilliseconds: UInt64 = 30_000
    /// For what waits for a client (`Pace`).
    package var clientStallMilliseconds: UInt64 = 30_000
    package var drainMilliseconds: UInt64 = 30_000
    package init() {}
  }

  /// permessage-deflate (RFC 7692).
  package struct WebSocket: Sendable, Equatable {
    package var compression = false
    package var compressionThresholdBytes = 1024
    package var compressionRatio = 100
    package var compressionWindowBits = 15
    /// Connections that may keep zlib's states between messages.
    package var takeoverConnections = 0
    package init() {}
  }

  package struct Retry: Sendable, Equatable {
    /// Counts the first try.
    package var attempts = 3
    package var budgetMilliseconds: UInt64 = 30_000
    package var backoffMilliseconds: UInt64 = 500
    package init() {}
  }

  package struct Breaker: Sendable, Equatable {
    package var failures = 4
    package var openMilliseconds: UInt64 = 120_000
    package init() {}
  }

  package struct Fallback: Sendable, Equatable {
    package var from: String
    package var to: [String]

    package init(from: String, to: [String]) {
      self.from = from
      self.to = to
    }
  }

  /// Token buckets; nil: unlimited.
  package struct Rates: Sendable, Equatable {
    package struct Rate: Sendable, Equatable {
      package var burst: Int
      package var perSecond: Int

      package init(burst: Int, perSecond: Int) {
        self.burst = burst
        self.perSecond = perSecond
      }
    }

    package var principal: Rate?
    package var address: Rate?
    package var global: Rate?
    package init() {}
  }

  package struct Results: Sendable, Equatable {
    package var keepMilliseconds: UInt64 = 600_000
    package var keepBytes = 67_108_864
    package init() {}
  }

  package struct Sessions: Sendable, Equatable {
    package var idleMilliseconds: UInt64 = 3_600_000
    package var sweepMilliseconds: UInt64 = 300_000
    package var resumeMilliseconds: UInt64 = 60_000
    package init() {}
  }

  package struct Storage: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable { case sqlite, memory }

    package var kind = Kind.sqlite
    /// Absent from the file: in the state directory.
    package static let fileName = "patchbay.db"
    package var path = "state/\(fileName)"
    package var sampleMilliseconds: UInt64 = 10_000
    package var keepDays = 30
    /// The largest that the database's file may become.
    package var maxBytes = 268_435_456
    package init() {}
  }

  package struct Metrics: Sendable, Equatable {
    /// Whether loops count on the way of a call.
    package var counting = true
    package init() {}
  }

  /// Who is told of alerts, beside the log and the health paths.
  package struct Alerts: Sendable, Equatable {
    /// nil: nobody.
    package var webhookURL: String?
    package var webhookToken: Secret?
    package init() {}
  }

  package struct Logging: Sendable, Equatable {
    package var level = LogLevel.info
    package var format = Log.Format.text
    /// nil: standard error.
    package var file: String?
    package init() {}
  }
}
