internal import JSON

/// The settings of what stands in lists.
extension ConfigurationSchema {
  static let listener: [Setting<Configuration.Listener>] = [
    .text(
      "address", \.address, 1...256, .address, "Port 0: any free one."
    )
    .required(),
    .services("serves", \.serves, "What it answers.")
      .notInForce(
        "serving openai or mcp", unless: { $0.serves.isDisjoint(with: [.openai, .mcp]) }),
    .text("mode", \.mode, 4...4, .mode, "Of the file of a unix socket: who may write to it may connect."),
    .optional("tls", \.tls, "Absent: plain HTTP and WebSocket. See docs/tls.md.", Self.tls),
  ]

  static let tls: [Setting<Configuration.TLS>] = [
    .text(
      "certificate", \.certificate, 1...4096, .path,
      "PEM: the host's own certificate first, then those between it and its authority."
    ).required(),
    .text("key", \.key, 1...4096, .path, "PEM: the certificate's private key, without a passphrase.").required(),
    .choice(
      "client_certificates", \.clientCertificates,
      Configuration.TLS.ClientCertificates.allCases.map { ($0.rawValue, $0) },
      "Whether clients show certificates of their own."),
    .text(
      "client_ca", \.clientCA, 1...4096, .path, "PEM: who may have signed them. Goes with client_certificates."),
  ]

  static let principal: [Setting<Configuration.Auth.Principal>] = [
    .text("name", \.name, 1...64, .identifier, "How the log and the metrics name it; each has its own.").required(),
    .secret("token", { $0.token = $1 }, { $0.token }, characters: 16, "What it says in its hello; each has its own.")
      .required(),
    .choice(
      "role", \.role, [("client", .client), ("viewer", .viewer), ("admin", .admin)],
      "Clients call, viewers see the page and the metrics, admins do both and operate."),
    .object(
      "limits", "What it may do at once, all its sessions together. Absent: only the host's own limits.",
      [
        .count("in_flight", \.limits.inFlight, 1...10_000, unit: "calls", "Running or waiting."),
        .count("sessions", \.limits.sessions, 1...1_000_000, unit: "sessions", "Open."),
      ]),
  ]

  static let provider: [Setting<ProviderSettings>] = [
    .text("id", \.id, 1...64, .identifier, "How the log, the metrics and clients name it; each has its own.")
      .required(),
    .text("plugin", \.plugin, 1...64, .identifier, "The provider's id in its plugin. Absent: the same as id.")
      .derived(),
    .flag("enabled", \.isEnabled, "false keeps the entry and leaves the provider out."),
    .secret(
      "api_key", { $0.apiKey = $1 }, { $0.apiKey }, characters: 8,
      "Added to requests by the host; the plugin never sees it."),
    .text("base_url", \.baseURL, 8...2048, .url, "Absent: the plugin's default."),
    .models("models", \.models, "Ids, or objects of id, aliases, context_tokens, output_tokens, capabilities."),
    .object(
      "limits", "What it may do at once.",
      [
        .count("in_flight", \.limits.inFlight, 1...10_000, unit: "calls", "Absent: what the plugin suggests."),
        .count("queued", \.limits.queued, 0...10_000, unit: "calls", "May wait for one of them."),
        .flag(
          "adaptive", \.limits.isAdaptive,
          "Fewer while the provider says that too many calls are in flight, then more again, up to in_flight."),
      ]),
    .choice(
      "isolation", \.isolation, ProviderSettings.Isolation.allCases.map { ($0.rawValue, $0) },
      "Absent: in-process for the plugins that came with the host and for those with sha256, worker for all others."),
    .text(
      "sha256", \.sha256, 64...64, .sha256,
      "Of the plugin's file, as sha256sum prints it: another content is refused, and this one is trusted."),
    .choice(
      "upstream_stream", \.upstreamStream, ProviderSettings.UpstreamStream.allCases.map { ($0.rawValue, $0) },
      "always: cancel and the clocks hold for plain answers too."
    ).notInForce("asking for plain answers upstream", unless: { $0.upstreamStream == .always }),
    .choice(
      "http_version", \.httpVersion, ProviderSettings.HTTPVersion.allCases.map { ($0.rawValue, $0) },
      "One exchange uses one connection either way."
    ).notInForce("speaking HTTP/2 upstream", unless: { $0.httpVersion == .http1 }),
    .texts(
      "allowed_origins", \.allowedOrigins, 0...64, characters: 8...512, .origin,
      "What the plugin may reach beside the origin of base_url."),
    .text(
      "canary", \.canary, 1...4096, .plain,
      "A question that a new version of the plugin must answer before it serves."),
    .json("settings", \.settingsJSON, "An object of what only the plugin understands."),
  ]

  static let model: [Setting<ProviderSettings.Model>] = [
    .text("id", \.id, 1...100, .plain, "As the provider names it.").required(),
    .texts("aliases", \.aliases, 0...32, characters: 1...100, .plain, "Other names that clients may use."),
    .count("context_tokens", \.contextTokens, 1...1_000_000_000, unit: "tokens", "Input and output together."),
    .count("output_tokens", \.outputTokens, 1...1_000_000_000, unit: "tokens", "The longest answer."),
    .texts(
      "capabilities", \.capabilities, 0...32, characters: 1...64, .identifier,
      "tools, images, thinking, web_search, json."),
  ]

  static let fallback: [Setting<Configuration.Fallback>] = [
    .text("from", \.from, 1...100, .plain, "The model that was asked for.").required(),
    .texts("to", \.to, 1...16, characters: 1...100, .plain, "The models that may answer, in order.").required(),
  ]
}

extension Configuration: Configurable {
  static var blank: Configuration { Configuration() }
}

extension Configuration.Listener: Configurable {
  static var blank: Configuration.Listener { .init(address: "") }
}

extension Configuration.TLS: Configurable {
  static var blank: Configuration.TLS { .init(certificate: "", key: "") }
}

extension Configuration.Auth.Principal: Configurable {
  static var blank: Configuration.Auth.Principal { .init(name: "", token: Secret(value: "")) }
}

extension Configuration.Fallback: Configurable {
  static var blank: Configuration.Fallback { .init(from: "", to: []) }
}

extension Configuration.Rates.Rate: Configurable {
  static var blank: Configuration.Rates.Rate { .init(burst: 1, perSecond: 1) }
}

extension ProviderSettings: Configurable {
  static var blank: ProviderSettings { .init(id: "", plugin: "") }
}

extension ProviderSettings.Model: Configurable {
  static var blank: ProviderSettings.Model { .init(id: "") }
}

// MARK: Values that one setting alone has

extension Setting<Configuration.Listener> {
  /// The names of faces, at least one.
  fileprivate static func services(
    _ key: String, _ keyPath: any WritableKeyPath<Root, Configuration.Services> & Sendable, _ reason: String
  ) -> Setting {
    let names = Configuration.Services.names
    let facts = SettingFacts(
      key: key, expected: "an array of \(ConfigurationReader.words(names.map(\.name)))",
      bounds: .entries(1...names.count), reason: reason, standard: "[\"websocket\"]")
    return Setting(facts) { reader, node, path, root in
      guard let elements = reader.elements(node, path, facts) else { return }
      root[keyPath: keyPath] = elements.reduce(into: []) { services, element in
        guard let index = reader.choice(element.0, element.1, names.map(\.name)) else { return }
        services.insert(names[index].service)
      }
    }.showing { root in
      ConfigurationReader.words(names.filter { root[keyPath: keyPath].contains($0.service) }.map(\.name))
    }.viewed { root in
      .array(names.filter { root[keyPath: keyPath].contains($0.service) }.map { .string($0.name) })
    }
  }
}

extension Setting<ProviderSettings> {
  /// Models by id, or with what is known of them.
  fileprivate static func models(
    _ key: String, _ keyPath: any WritableKeyPath<Root, [ProviderSettings.Model]> & Sendable, _ reason: String
  ) -> Setting {
    let facts = SettingFacts(
      key: key, expected: "an array of 0 to 1,000 model ids or objects", bounds: .entries(0...1000), reason: reason,
      standard: "[]")
    return Setting(facts) { reader, node, path, root in
      guard let elements = reader.elements(node, path, facts) else { return }
      root[keyPath: keyPath] = elements.map { node, path in
        var model = ProviderSettings.Model.blank
        if case .object = node.value {
          reader.readObject(ConfigurationSchema.model, node, path, into: &model)
        } else if let id = reader.text(node, path, "a model id or an object", 1...100, .plain) {
          model.id = id
        }
        return model
      }
    }.showing { "\($0[keyPath: keyPath].map(\.id))" }
      .viewed { .array($0[keyPath: keyPath].map { ConfigurationSchema.model.view(of: $0) }) }
  }

  /// An object that is handed on as JSON.
  fileprivate static func json(
    _ key: String, _ keyPath: any WritableKeyPath<Root, String> & Sendable, _ reason: String
  ) -> Setting {
    let facts = SettingFacts(key: key, expected: "an object", reason: reason, standard: "{}")
    return Setting(facts) { reader, node, path, root in
      guard case .object = node.value else {
        reader.report(wrongType: node, path, expected: facts.expected)
        return
      }
      guard let text = node.json else {
        reader.report(
          .malformed, path, found: "Infinity or NaN", expected: "numbers that JSON has", line: node.line)
        return
      }
      root[keyPath: keyPath] = text
    }.showing { $0[keyPath: keyPath] }
      .viewed { (try? JSONValue(parsing: $0[keyPath: keyPath])).map(ConfigurationView.withoutSecrets) }
  }
}
