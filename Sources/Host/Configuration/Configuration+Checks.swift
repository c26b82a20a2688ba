/// What must hold between settings; each by itself was checked as it was read.
extension Configuration {
  func check(_ reader: inout ConfigurationReader) {
    checkTimeouts(&reader)
    checkLimits(&reader)
    checkListeners(&reader)
    checkCertificates(&reader)
    checkPrincipals(&reader)
    checkUnique(providers.map(\.id), "providers", "id", &reader)
  }

  /// tool < daemon < shim < client, by at least 1.5, 2.0 and 2.5 times the tool's; whole milliseconds throughout.
  private func checkTimeouts(_ reader: inout ConfigurationReader) {
    guard !reader.hasErrors(below: "timeouts") else { return }
    let tool = timeouts.toolMilliseconds
    let levels: [(name: String, milliseconds: UInt64, ratio: String, halves: UInt64)] = [
      ("daemon", timeouts.daemonMilliseconds, "1.5", 3), ("shim", timeouts.shimMilliseconds, "2.0", 4),
      ("client", timeouts.clientMilliseconds, "2.5", 5),
    ]
    for level in levels where level.milliseconds * 2 < tool * level.halves {
      reportTimeouts(
        &reader, lower: ("tool", tool), upper: (level.name, level.milliseconds),
        expected: "\(level.name)_seconds to be at least \(level.ratio) × tool_seconds, "
          + ConfigurationReader.seconds((tool * level.halves + 1) / 2))
    }
    for (lower, upper) in zip(levels, levels.dropFirst()) where lower.milliseconds >= upper.milliseconds {
      reportTimeouts(
        &reader, lower: (lower.name, lower.milliseconds), upper: (upper.name, upper.milliseconds),
        expected: "\(upper.name)_seconds to be greater than \(lower.name)_seconds")
    }
  }

  private func reportTimeouts(
    _ reader: inout ConfigurationReader, lower: (name: String, milliseconds: UInt64),
    upper: (name: String, milliseconds: UInt64), expected: String
  ) {
    func value(_ level: (name: String, milliseconds: UInt64)) -> String {
      let isSet = reader.isSet("timeouts.\(level.name)_seconds")
      let seconds = ConfigurationReader.seconds(level.milliseconds)
      return "\(level.name)_seconds \(seconds)" + (isSet || level.name == "tool" ? "" : " (derived)")
    }
    let isUpperSet = reader.isSet("timeouts.\(upper.name)_seconds")
    reader.report(
      .conflict, "timeouts.\(isUpperSet ? upper.name : lower.name)_seconds",
      found: "\(value(upper)) with \(value(lower))",
      expected: expected,
      remedy: "raise \(upper.name)_seconds or lower \(lower.name)_seconds")
  }

  private func checkLimits(_ reader: inout ConfigurationReader) {
    let wait = limits.queueMilliseconds
    if !reader.hasErrors(below: "timeouts.heartbeat"), wait >= timeouts.heartbeatMilliseconds {
      reader.report(
        .conflict, "limits.queue_seconds",
        found: "\(ConfigurationReader.seconds(wait)) with timeouts.heartbeat_seconds "
          + ConfigurationReader.seconds(timeouts.heartbeatMilliseconds),
        expected: "less than heartbeat_seconds: a waiting call shows no sign of life")
    }
    let buffered = Limits.messagesBuffered * limits.frameBytes
    if !reader.hasErrors(below: "limits"), limits.bufferedBytes < buffered {
      reader.report(
        .conflict, "limits.buffered_bytes",
        found: "\(limits.bufferedBytes) with frame_bytes \(limits.frameBytes)",
        expected: "at least \(Limits.messagesBuffered) × frame_bytes, \(buffered)",
        remedy: "raise it or lower frame_bytes")
    }
    if !reader.hasErrors(below: "limits"), limits.argumentsBytes > limits.frameBytes {
      reader.report(
        .conflict, "limits.arguments_bytes", found: "\(limits.argumentsBytes) with frame_bytes \(limits.frameBytes)",
        expected: "at most frame_bytes: arguments come in a frame", remedy: "lower it or raise frame_bytes")
    }
  }

  private func checkListeners(_ reader: inout ConfigurationReader) {
    let isFromFile = reader.isSet("listeners") && (reader.environment("PATCHBAY_LISTEN") ?? "").isEmpty
    for (index, listener) in listeners.enumerated() where TextFormat.address.accepts(listener.address) {
      let path = "listeners[\(index)].address"
      let shown = ConfigurationReader.quoted(listener.address)
      func report(_ kind: ConfigurationError.Kind, found: String, expected: String, remedy: String = "") {
        if isFromFile {
          reader.report(kind, path, found: found, expected: expected, remedy: remedy)
        } else {
          reader.report(kind, variable: "PATCHBAY_LISTEN", found: found, expected: expected, remedy: remedy)
        }
      }
      let address: BindAddress
      do {
        address = try BindAddress(parsing: reader.resolved(address: listener.address))
      } catch {
        report(.malformed, found: shown, expected: "a possible address: \(error.reason)")
        continue
      }
      if case .network = address.place, listener.mode != Listener(address: "").mode {
        reader.report(
          .conflict, "listeners[\(index)].mode", found: "\(ConfigurationReader.quoted(listener.mode)) with \(shown)",
          expected: "a mode for unix sockets only")
      }
      if auth.isOpen, !address.isLoopback {
        report(
          .conflict, found: "\(shown) and no principal",
          expected: "a loopback or unix address while anyone may connect",
          remedy: "set auth.principals in the file or PATCHBAY_TOKEN in the environment, or listen on 127.0.0.1")
      }
      let isTaken = listeners[..<index].contains { $0.address == listener.address }
      if isTaken, !listener.address.hasSuffix(":0") {
        report(.conflict, found: "\(shown) again", expected: "each address once")
      }
    }
  }

  private func checkPrincipals(_ reader: inout ConfigurationReader) {
    checkUnique(auth.principals.map(\.name), "auth.principals", "name", &reader)
    for (index, principal) in auth.principals.enumerated() where !principal.token.value.isEmpty {
      let twin = auth.principals[..<index].first { $0.token.value == principal.token.value }
      if let twin {
        reader.report(
          .conflict, "auth.principals[\(index)].token",
          found: "the token of \(ConfigurationReader.quoted(twin.name)) again", expected: "each principal's own")
      }
    }
  }

  private func checkUnique(_ names: [String], _ path: String, _ key: String, _ reader: inout ConfigurationReader) {
    for (index, name) in names.enumerated() where !name.isEmpty && names[..<index].contains(name) {
      reader.report(
        .conflict, "\(path)[\(index)].\(key)", found: "\(ConfigurationReader.quoted(name)) again",
        expected: "each \(key) once")
    }
  }
}
